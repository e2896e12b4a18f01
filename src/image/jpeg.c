/*
 * jpeg.c - libjpeg on the same short leash as libvips
 *
 *     header -> size within limits? -> 1/1, 1/2, 1/4 or 1/8 -> rows into the picture's memory -> upright
 *
 * libvips decodes JPEGs by libjpeg, too, but behind a pipeline of regions and threads, and makes small pictures by another.
 * Without the two an ingest takes 6 ms of one core less for a picture of 1 to 3 million pixels, which is then decoded at the
 * half in 2.8 ms, 1.9 of them for the Huffman codes. The pixels are the same, bit for bit, at every size (test_jpeg).
 *
 * libjpeg scales while it decodes: it transforms only the lowest 4 x 4, 2 x 2 or 1 x 1 frequencies of a block. Its pictures
 * are rounded up, and their last column may be one that the file only half fills; we round down, as libvips does.
 *
 * Errors end in a longjmp, as libjpeg wants it: everything that must survive lives in `reader` or `writer`, and the only
 * frames that are jumped over are libjpeg's and ours without anything owned. What a damaged file does is a warning for
 * libjpeg, which goes on with gray; a file that ends early is an error. The time that it took (patience.h) is looked at
 * whenever some milliseconds' worth of rows of blocks have passed, in every scan: asking in each row took 3 % of the time.
 *
 * Deliberately missing: CMYK, whose inversions libvips knows.
 *
 * Sources: libjpeg.txt of libjpeg-turbo; EXIF 2.3, 4.5 and 4.6.
 */
#include "image/jpeg.h"

#include "base/limits.h"
#include "image/patience.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* libjpeg wants stdio.h above */
#include <jerror.h>
#include <jpeglib.h>

enum {
    EXIF_MARKER = JPEG_APP0 + 1,
    MAX_SEGMENT = 0xFFFF,
    MAX_ROWS = 16,
    PIECE_BYTES = 16384,
    BLOCKS_ROWS_PX = MAX_SAMP_FACTOR * DCTSIZE, /* the tallest row of blocks */
    PX_A_LOOK = 1 << 20
};

typedef struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr watch;
    jmp_buf failed;
    pn_patience time;
    bool late;
    uint32_t px_unseen; /* of rows of blocks since the clock was looked at, at least */
    pn_image image;     /* owned until it is given away */
} reader;

bool pn_jpeg_is(const void *bytes, size_t n)
{
    return n >= 3 && memcmp(bytes, "\xFF\xD8\xFF", 3) == 0;
}

/* ---- EXIF */

static unsigned load16(const uint8_t *at, bool big_endian)
{
    return big_endian ? (unsigned)at[0] << 8 | at[1] : (unsigned)at[1] << 8 | at[0];
}

static uint32_t load32(const uint8_t *at, bool big_endian)
{
    uint32_t first = load16(at, big_endian), second = load16(at + 2, big_endian);
    return big_endian ? first << 16 | second : second << 16 | first;
}

unsigned pn_exif_orientation(const uint8_t *bytes, size_t n)
{
    enum { HEAD = 6, TIFF_HEAD = 8, ENTRY = 12, TAG = 0x0112, SHORT = 3, LONG = 4 };
    if (n < HEAD + TIFF_HEAD || memcmp(bytes, "Exif\0", HEAD) != 0)
        return 0;
    const uint8_t *tiff = bytes + HEAD;
    n -= HEAD;
    bool big = tiff[0] == 'M';
    size_t at = load32(tiff + 4, big);
    if (load16(tiff + 2, big) != 42 || at > n - 2)
        return 0;
    unsigned n_entries = load16(tiff + at, big);
    at += 2;
    for (unsigned i = 0; i < n_entries && n - at >= ENTRY; i++, at += ENTRY) {
        unsigned kind = load16(tiff + at + 2, big);
        if (load16(tiff + at, big) != TAG || (kind != SHORT && kind != LONG))
            continue;
        uint32_t value = kind == SHORT ? load16(tiff + at + 8, big) : load32(tiff + at + 8, big);
        return value >= 1 && value <= 8 ? value : 0;
    }
    return 0;
}

/* ---- what libjpeg calls back */

static void PN_NORETURN jump_out(j_common_ptr jpeg)
{
    longjmp(*(jmp_buf *)jpeg->client_data, 1);
}

/* A library does not print. */
static void say_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void look_at_clock(j_common_ptr jpeg)
{
    reader *r = (reader *)jpeg;
    r->late = r->late || pn_patience_is_over(&r->time);
    if (r->late)
        jump_out(jpeg);
}

/* libjpeg calls this once or more in every row of blocks. */
static void count_rows(j_common_ptr jpeg)
{
    reader *r = (reader *)jpeg;
    r->px_unseen += r->jpeg.image_width * BLOCKS_ROWS_PX;
    if (r->px_unseen < PX_A_LOOK)
        return;
    r->px_unseen = 0;
    look_at_clock(jpeg);
}

static void do_nothing(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

static boolean end_of_file(j_decompress_ptr jpeg)
{
    ERREXIT(jpeg, JERR_INPUT_EOF);
    return FALSE;
}

static void skip(j_decompress_ptr jpeg, long n)
{
    size_t step = n > 0 ? PN_MIN((size_t)n, jpeg->src->bytes_in_buffer) : 0;
    jpeg->src->next_input_byte += step;
    jpeg->src->bytes_in_buffer -= step;
}

static void set_errors(struct jpeg_error_mgr *errors)
{
    (void)jpeg_std_error(errors); // returns its argument
    errors->error_exit = jump_out;
    errors->output_message = say_nothing;
}

/* ---- decoding */

static void begin(reader *r, const void *bytes, size_t n, const pn_decode_options *options)
{
    pn_patience_begin(&r->time, options, CLOCK_THREAD_CPUTIME_ID);
    set_errors(&r->errors);
    r->jpeg.err = &r->errors;
    r->jpeg.client_data = &r->failed;
    r->source = (struct jpeg_source_mgr){.next_input_byte = bytes,
                                         .bytes_in_buffer = n,
                                         .init_source = do_nothing,
                                         .fill_input_buffer = end_of_file,
                                         .skip_input_data = skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = do_nothing};
    r->watch.progress_monitor = count_rows;
}

/* By how much libjpeg may scale down while it decodes. */
static unsigned shrink_of(const struct jpeg_decompress_struct *jpeg,
                          const pn_decode_options *options)
{
    uint32_t least = options ? options->shrink_to_px : 0;
    uint32_t least_long = options ? options->shrink_long_px : 0;
    uint32_t short_side = PN_MIN(jpeg->image_width, jpeg->image_height);
    uint32_t long_side = PN_MAX(jpeg->image_width, jpeg->image_height);
    for (unsigned factor = 8; least > 0 && factor > 1; factor /= 2)
        if (short_side / factor >= least && long_side / factor >= least_long)
            return factor;
    return 1;
}

static bool is_ours(const struct jpeg_decompress_struct *jpeg)
{
    return jpeg->jpeg_color_space == JCS_GRAYSCALE || jpeg->jpeg_color_space == JCS_YCbCr ||
           jpeg->jpeg_color_space == JCS_RGB;
}

/* Where a row of libjpeg's has a pixel more than one of ours, it is what the next row begins with, until that is read; so only the last one
 * needs another place. */
static void read_rows(reader *r)
{
    j_decompress_ptr jpeg = &r->jpeg;
    const size_t row_bytes = (size_t)r->image.width * 3;
    const bool is_wider = jpeg->output_width != r->image.width;
    const uint32_t most = is_wider ? 1 : MAX_ROWS;
    JSAMPROW spare = NULL;
    if (is_wider)
        spare =
            *jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, jpeg->output_width * 3, 1);
    while (jpeg->output_scanline < r->image.height) {
        JSAMPROW rows[MAX_ROWS];
        const uint32_t first = jpeg->output_scanline, left = r->image.height - first;
        const uint32_t n = PN_MIN(left, most);
        for (uint32_t i = 0; i < n; i++)
            rows[i] = r->image.pixels + (first + i) * row_bytes;
        if (spare && left == 1)
            rows[0] = spare;
        (void)jpeg_read_scanlines(jpeg, rows, n);
    }
    if (spare)
        memcpy(r->image.pixels + (r->image.height - 1) * row_bytes, spare, row_bytes);
}

static unsigned orientation_of(const struct jpeg_decompress_struct *jpeg)
{
    unsigned orientation = 0;
    for (jpeg_saved_marker_ptr marker = jpeg->marker_list; marker; marker = marker->next)
        if (marker->marker == EXIF_MARKER && marker->data_length >= 4 &&
            memcmp(marker->data, "Exif", 4) == 0)
            orientation = pn_exif_orientation(marker->data, marker->data_length); // the last counts
    return orientation;
}

static pn_status fail(reader *r, const char *name, pn_error *err)
{
    char reason[JMSG_LENGTH_MAX];
    if (r->late)
        return pn_patience_fail(&r->time, name, err);
    if (r->errors.msg_code == JERR_OUT_OF_MEMORY)
        return pn_fail_nomem(err);
    r->errors.format_message((j_common_ptr)&r->jpeg, reason);
    return pn_fail(err, PN_ERR_CORRUPT, "%s: %s", name, reason);
}

/* Whatever fails inside of libjpeg comes back to the setjmp. */
static pn_status read_picture(reader *r, const char *name, const pn_decode_options *options,
                              bool *taken, pn_error *err)
{
    if (setjmp(r->failed) != 0)
        return fail(r, name, err);
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.src = &r->source;
    r->jpeg.progress = &r->watch;
    jpeg_save_markers(&r->jpeg, EXIF_MARKER, MAX_SEGMENT);
    (void)jpeg_read_header(&r->jpeg, TRUE); // has a picture, or does not return
    *taken = is_ours(&r->jpeg);
    if (!*taken)
        return PN_OK;
    PN_TRY(pn_decode_check_size(r->jpeg.image_width, r->jpeg.image_height, name, options, err));
    unsigned shrink = shrink_of(&r->jpeg, options);
    r->jpeg.scale_num = 1;
    r->jpeg.scale_denom = shrink;
    r->jpeg.out_color_space = JCS_RGB;
    look_at_clock((j_common_ptr)&r->jpeg);
    (void)jpeg_start_decompress(&r->jpeg); // all there: it never waits
    PN_TRY(pn_image_create(PN_MAX(r->jpeg.image_width / shrink, 1u),
                           PN_MAX(r->jpeg.image_height / shrink, 1u), &r->image, err));
    read_rows(r);
    return pn_image_turn_upright(&r->image, (int)orientation_of(&r->jpeg), err);
}

pn_status pn_jpeg_decode(const void *bytes, size_t n, const char *name,
                         const pn_decode_options *options, bool *taken, pn_image *out,
                         pn_error *err)
{
    reader r = {0};
    *taken = true;
    begin(&r, bytes, n, options);
    pn_status status = read_picture(&r, name, options, taken, err);
    jpeg_destroy_decompress(&r.jpeg);
    if (status == PN_OK && *taken)
        *out = r.image;
    else
        pn_image_free(&r.image);
    return status;
}

/* ---- encoding */

typedef struct writer {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr sink;
    jmp_buf failed;
    pn_buffer *out;
    pn_error *err;
    pn_status status; /* of the buffer */
    uint8_t piece[PIECE_BYTES];
} writer;

static void begin_piece(j_compress_ptr jpeg)
{
    writer *w = (writer *)jpeg;
    w->sink.next_output_byte = w->piece;
    w->sink.free_in_buffer = PIECE_BYTES;
}

static void append(writer *w, size_t n)
{
    w->status = pn_buffer_append(w->out, w->piece, n, w->err);
    if (w->status != PN_OK)
        jump_out((j_common_ptr)&w->jpeg);
}

static boolean next_piece(j_compress_ptr jpeg)
{
    append((writer *)jpeg, PIECE_BYTES); // libjpeg.txt: all of it, whatever free_in_buffer says
    begin_piece(jpeg);
    return TRUE;
}

static void last_piece(j_compress_ptr jpeg)
{
    writer *w = (writer *)jpeg;
    append(w, PIECE_BYTES - w->sink.free_in_buffer);
}

static pn_status write_picture(writer *w, const pn_image *image, int quality)
{
    if (setjmp(w->failed) != 0)
        return w->status != PN_OK ? w->status : pn_fail_nomem(w->err); // nothing else can fail
    jpeg_create_compress(&w->jpeg);
    w->jpeg.dest = &w->sink;
    w->jpeg.image_width = image->width;
    w->jpeg.image_height = image->height;
    w->jpeg.input_components = 3;
    w->jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&w->jpeg);
    jpeg_set_quality(&w->jpeg, quality, TRUE);
    jpeg_start_compress(&w->jpeg, TRUE);
    while (w->jpeg.next_scanline < image->height) {
        JSAMPROW row = image->pixels + (size_t)w->jpeg.next_scanline * image->width * 3;
        (void)jpeg_write_scanlines(&w->jpeg, &row, 1); // 1, as our sink never waits
    }
    jpeg_finish_compress(&w->jpeg);
    return PN_OK;
}

pn_status pn_jpeg_encode(const pn_image *image, int quality, pn_buffer *out, pn_error *err)
{
    writer w = {.out = out, .err = err};
    const size_t before = out->n_bytes;
    set_errors(&w.errors);
    w.jpeg.err = &w.errors;
    w.jpeg.client_data = &w.failed;
    w.sink = (struct jpeg_destination_mgr){.init_destination = begin_piece,
                                           .empty_output_buffer = next_piece,
                                           .term_destination = last_piece};
    pn_status status = write_picture(&w, image, quality);
    jpeg_destroy_compress(&w.jpeg);
    if (status != PN_OK)
        out->n_bytes = before;
    return status;
}
