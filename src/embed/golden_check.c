/*
 * golden_check.c - the same vectors, or what is wrong
 *
 *     pictures  texts    looks like
 *     differ    agree    the preprocessing: others are tried until one gives the golden vectors; none does: the vision encoder
 *     agree     differ   the tokenizer, when it gives other ids; else the text encoder
 *     differ    differ   near: the activation or some weights; far: another model's weights, or read as another type
 *     agree     agree    and yet another file: weights that these inputs do not reach
 *
 * A guess is only said when it fits: every picture's golden vector came out of that other preprocessing. Guesses with one change
 * are tried before those with two, and so on, on the first picture alone until it fits: 191 vectors at most.
 *
 *     filter   bicubic, bilinear
 *     mode     crop, pad, squash
 *     colours  mean and deviation: the model's, in reverse order (either or both), OpenAI's, ImageNet's, 0.5, none
 *     order    RGB or BGR
 */
#include "embed/golden_vectors.h"

#include "base/alloc.h"
#include "embed/local.h"
#include "image/decode.h"
#include "os/digest.h"
#include "os/dir.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { N_FILTERS = 2, N_MODES = 3, N_COLOURS = 8, N_ORDERS = 2, MAX_CHANGES = 4 };

/* Below it vectors have nothing to do with each other. */
static const double far_cosine = 0.9;

typedef struct check {
    const pn_golden *golden;
    pn_embedder *embedder;
    const char *dir;
    double least;
    pn_golden_report *report;
    float *input, *vector; /* a tensor, [dim] */
} check;

static double cosine(const float *a, const float *b, size_t n)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(aa * bb);
}

/* ---- guesses */

typedef struct guess {
    unsigned filter, mode, colours, order; /* 0: as the model has it */
} guess;

static unsigned n_changes(guess g)
{
    return (g.filter != 0) + (g.mode != 0) + (g.colours != 0) + (g.order != 0);
}

static void swap_ends(float v[3])
{
    float first = v[0];
    v[0] = v[2];
    v[2] = first;
}

static const char *const colour_names[N_COLOURS] = {
    "",
    "image_mean has the order blue, green, red",
    "image_std has the order blue, green, red",
    "image_mean and image_std have the order blue, green, red",
    "image_mean and image_std are not OpenAI's (0.48145466... and 0.26862954...)",
    "image_mean and image_std are not ImageNet's (0.485... and 0.229...)",
    "image_mean and image_std are not 0.5",
    "the values are not to be normalised (do_normalize)"};

static void set_colours(pn_preprocess *p, unsigned which)
{
    static const float constants[][2][3] = {
        {{0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}},
        {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}},
        {{0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}},
        {{0, 0, 0}, {1, 1, 1}}};
    if (which == 1 || which == 3)
        swap_ends(p->mean);
    if (which == 2 || which == 3)
        swap_ends(p->std);
    if (which > 3) {
        memcpy(p->mean, constants[which - 4][0], sizeof p->mean);
        memcpy(p->std, constants[which - 4][1], sizeof p->std);
    }
}

static pn_preprocess preprocess_of(const check *c, guess g)
{
    pn_preprocess p = *pn_local_embedder_preprocess(c->embedder);
    p.filter = (pn_resize_filter)(((unsigned)p.filter + g.filter) % N_FILTERS);
    p.mode = (pn_preprocess_mode)(((unsigned)p.mode + g.mode) % N_MODES);
    set_colours(&p, g.colours);
    return p;
}

/* The cosine of a picture's vector, prepared so, to its golden one. */
static pn_status try_picture(const check *c, guess g, size_t i, double *out, pn_error *err)
{
    const pn_golden_picture *picture = &c->golden->pictures[i];
    const pn_preprocess p = preprocess_of(c, g);
    pn_image image = {0};
    PN_TRY(pn_image_decode(picture->bytes, picture->n_bytes, picture->name, NULL, &image, err));
    pn_status status = pn_preprocess_tensor(&p, &image, c->input, err);
    pn_image_free(&image);
    PN_TRY(status);
    size_t n = (size_t)p.width * p.height;
    for (size_t j = 0; g.order != 0 && j < n; j++) {
        float red = c->input[j];
        c->input[j] = c->input[2 * n + j];
        c->input[2 * n + j] = red;
    }
    PN_TRY(pn_local_embedder_embed_tensors(c->embedder, c->input, 1, c->vector, err));
    *out = cosine(c->vector, picture->vector, c->golden->dim);
    return PN_OK;
}

static pn_status fits(const check *c, guess g, bool *out, pn_error *err)
{
    double near = 1;
    *out = false;
    for (size_t i = 0; i < c->golden->n_pictures; i++) {
        PN_TRY(try_picture(c, g, i, &near, err));
        if (!(near >= c->least))
            return PN_OK;
    }
    *out = true;
    return PN_OK;
}

/* The n-th of all guesses. */
static guess guess_of(unsigned n)
{
    return (guess){.filter = n % N_FILTERS,
                   .mode = n / N_FILTERS % N_MODES,
                   .colours = n / (N_FILTERS * N_MODES) % N_COLOURS,
                   .order = n / (N_FILTERS * N_MODES * N_COLOURS)};
}

static pn_status find_guess(const check *c, guess *out, bool *found, pn_error *err)
{
    *found = false;
    for (unsigned changes = 1; changes <= MAX_CHANGES; changes++) {
        for (unsigned i = 0; i < N_FILTERS * N_MODES * N_COLOURS * N_ORDERS && !*found; i++) {
            guess g = guess_of(i);
            if (n_changes(g) != changes)
                continue;
            PN_TRY(fits(c, g, found, err));
            if (*found)
                *out = g;
        }
    }
    return PN_OK;
}

/* ---- words */

PN_PRINTF(2, 3) static void say(const check *c, const char *format, ...)
{
    char *out = c->report->problem;
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(out + used, PN_GOLDEN_TEXT_BYTES - used, format, args); // a longer one is cut
    va_end(args);
    pn_text_trim_partial(out);
}

static void say_guess(const check *c, guess g)
{
    const pn_preprocess *is = pn_local_embedder_preprocess(c->embedder);
    const pn_preprocess should = preprocess_of(c, g);
    static const char *const filters[] = {"bicubic", "bilinear"};
    const char *comma = "";
    say(c, "the preprocessing is another one than the golden pictures had: ");
    if (g.filter != 0) {
        say(c, "pictures are resized with the %s filter instead of the %s one (resample)",
            filters[is->filter], filters[should.filter]);
        comma = "; ";
    }
    if (g.mode != 0) {
        say(c, "%spictures are fitted by \"%s\" instead of \"%s\" (size, crop_size)", comma,
            pn_preprocess_mode_name(is->mode), pn_preprocess_mode_name(should.mode));
        comma = "; ";
    }
    if (g.colours != 0) {
        say(c, "%s%s", comma, colour_names[g.colours]);
        comma = "; ";
    }
    if (g.order != 0)
        say(c, "%sthe weights want the channels in the order BGR", comma);
}

static const char *distance_words(double near)
{
    return near >= far_cosine
               ? "near, as with another activation (hidden_act), eps, or some changed weights"
               : "far off, as with another model's weights, or weights read as another type "
                 "(dtype)";
}

/* ---- texts */

static bool same_ids(const check *c, const pn_golden_text *text, uint32_t *ids, size_t context)
{
    size_t n;
    const pn_tokenizer *tokenizer = pn_clip_tokenizer(pn_local_embedder_clip(c->embedder));
    if (text->n_ids == 0)
        return true;
    return pn_tokenizer_encode(tokenizer, text->text, context, ids, &n, NULL) == PN_OK &&
           n == text->n_ids && memcmp(ids, text->ids, n * sizeof *ids) == 0;
}

/* The first text that has other ids; n_texts: none. */
static size_t find_other_ids(const check *c)
{
    static const size_t none = SIZE_MAX;
    size_t context = pn_clip_get_info(pn_local_embedder_clip(c->embedder))->context;
    uint32_t *ids = pn_alloc_array(context, sizeof *ids);
    size_t found = none;
    for (size_t i = 0; ids && i < c->golden->n_texts && found == none; i++)
        if (!same_ids(c, &c->golden->texts[i], ids, context))
            found = i;
    pn_free(ids);
    return found == none ? c->golden->n_texts : found;
}

static pn_status compare_texts(const check *c, pn_error *err)
{
    c->report->text_cosine = 1;
    for (size_t i = 0; i < c->golden->n_texts; i++) {
        const pn_golden_text *text = &c->golden->texts[i];
        PN_TRY(c->embedder->embed_texts(c->embedder->self, &text->text, 1, NULL, c->vector, err));
        c->report->text_cosine =
            fmin(c->report->text_cosine, cosine(c->vector, text->vector, c->golden->dim));
    }
    return PN_OK;
}

static pn_status compare_pictures(const check *c, pn_error *err)
{
    double near;
    c->report->image_cosine = 1;
    for (size_t i = 0; i < c->golden->n_pictures; i++) {
        PN_TRY(try_picture(c, (guess){0}, i, &near, err));
        c->report->image_cosine = fmin(c->report->image_cosine, near);
    }
    return PN_OK;
}

/* ---- files */

static pn_status check_files(const check *c, pn_error *err)
{
    pn_arena arena;
    pn_arena_init(&arena, 1 << 20);
    pn_status status = PN_OK;
    for (size_t i = 0; status == PN_OK && i < c->golden->n_files; i++) {
        const pn_golden_file *file = &c->golden->files[i];
        char digest[PN_DIGEST_TEXT_BYTES];
        const char *path = pn_path_join(&arena, c->dir, file->name);
        status = path ? pn_digest_file(path, PN_DIGEST_SHA256, digest, err) : pn_fail_nomem(err);
        bool is_missing = status == PN_ERR_NOT_FOUND; // kept under another name, perhaps
        if (is_missing)
            status = PN_OK;
        if (status != PN_OK || (!is_missing && strcmp(digest, file->sha256) == 0))
            continue;
        say(c, "%s%s is not the file that the golden vectors were made with%s",
            c->report->problem[0] ? "; " : "", file->name, is_missing ? ": it is missing" : "");
        c->report->passed = false;
    }
    pn_arena_reset(&arena);
    return status;
}

/* ---- all */

static pn_status explain(const check *c, bool pictures, bool texts, pn_error *err)
{
    guess g = {0};
    bool found = false;
    size_t other = find_other_ids(c);
    if (!pictures)
        PN_TRY(find_guess(c, &g, &found, err));
    if (found)
        say_guess(c, g);
    else if (!pictures && !texts && other == c->golden->n_texts)
        say(c, "vectors of pictures and texts are %s",
            distance_words(fmin(c->report->image_cosine, c->report->text_cosine)));
    else if (!pictures)
        say(c, "vectors of pictures are %s", distance_words(c->report->image_cosine));
    if (texts && other == c->golden->n_texts)
        return PN_OK;
    const char *comma = c->report->problem[0] ? "; " : "";
    if (other < c->golden->n_texts)
        say(c, "%sthe tokenizer is another one: \"%.40s\" has other ids", comma,
            c->golden->texts[other].text.ptr);
    else if (found || pictures)
        say(c, "%svectors of texts are %s", comma, distance_words(c->report->text_cosine));
    return PN_OK;
}

static pn_status run(check *c, pn_error *err)
{
    if (c->golden->dim != c->embedder->dim)
        return pn_fail(err, PN_ERR_CORRUPT,
                       "%s has vectors of %u floats, the model's have %u: it is another model's",
                       c->golden->path, c->golden->dim, c->embedder->dim);
    PN_TRY(compare_texts(c, err));
    PN_TRY(compare_pictures(c, err));
    bool pictures = c->report->image_cosine >= c->least; // false for what is no number
    bool texts = c->report->text_cosine >= c->least;
    c->report->passed = pictures && texts && find_other_ids(c) == c->golden->n_texts;
    if (!c->report->passed)
        PN_TRY(explain(c, pictures, texts, err));
    return check_files(c, err);
}

pn_status pn_golden_check(const pn_golden *golden, pn_embedder *embedder, const char *dir,
                          double least, pn_golden_report *report, pn_error *err)
{
    pn_golden_report own = {0};
    check c = {.golden = golden, .embedder = embedder, .dir = dir, .least = least, .report = &own};
    c.input = pn_alloc_array(pn_local_embedder_tensor_floats(embedder), sizeof *c.input);
    c.vector = pn_alloc_array(embedder->dim, sizeof *c.vector);
    pn_status status = c.input && c.vector ? run(&c, err) : pn_fail_nomem(err);
    pn_free(c.input);
    pn_free(c.vector);
    if (status == PN_OK)
        *report = own;
    return status;
}
