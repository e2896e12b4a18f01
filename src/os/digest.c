/*
 * digest.c - SHA-256 and git's SHA-1 of files, by libcrypto
 *
 * libcrypto is here already, as the TLS of libcurl, and uses the processor's instructions for it: 1 to 2 GB a second.
 */
#include "os/digest.h"

#include "base/alloc.h"
#include "os/fd.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 1 << 20 };

static pn_status update_all(EVP_MD_CTX *context, pn_fd fd, const char *path, uint8_t *piece,
                            pn_error *err)
{
    size_t n;
    do {
        PN_TRY(pn_fd_read_some(fd, path, piece, PIECE_BYTES, &n, err));
        if (EVP_DigestUpdate(context, piece, n) != 1)
            return pn_fail(err, PN_ERR_BUG, "%s: libcrypto takes no more bytes", path);
    } while (n > 0);
    return PN_OK;
}

static pn_status begin(EVP_MD_CTX *context, pn_digest_kind kind, uint64_t n_bytes, pn_error *err)
{
    char head[32];
    const EVP_MD *how = kind == PN_DIGEST_SHA256 ? EVP_sha256() : EVP_sha1();
    int n = snprintf(head, sizeof head, "blob %" PRIu64, n_bytes);
    if (EVP_DigestInit_ex(context, how, NULL) != 1 ||
        (kind == PN_DIGEST_GIT_BLOB && EVP_DigestUpdate(context, head, (size_t)n + 1) != 1))
        return pn_fail(err, PN_ERR_UNSUPPORTED, "this libcrypto has no %s",
                       kind == PN_DIGEST_SHA256 ? "SHA-256" : "SHA-1");
    return PN_OK;
}

static pn_status finish(EVP_MD_CTX *context, char out[PN_DIGEST_TEXT_BYTES], pn_error *err)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned n_bytes;
    if (EVP_DigestFinal_ex(context, value, &n_bytes) != 1 || 2 * n_bytes >= PN_DIGEST_TEXT_BYTES)
        return pn_fail(err, PN_ERR_BUG, "libcrypto gives no digest");
    const size_t n = n_bytes;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[value[i] >> 4];
        out[2 * i + 1] = digits[value[i] & 15];
    }
    out[2 * n] = '\0';
    return PN_OK;
}

pn_status pn_digest_file(const char *path, pn_digest_kind kind, char out[PN_DIGEST_TEXT_BYTES],
                         pn_error *err)
{
    pn_status status = PN_OK;
    pn_fd fd = PN_FD_NONE;
    pn_file_info info;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t *piece = pn_alloc(PIECE_BYTES);
    if (!context || !piece)
        PN_GOTO(done, pn_fail_nomem(err));
    PN_GOTO(done, pn_fd_open(path, PN_OPEN_READ, &fd, err));
    PN_GOTO(done, pn_fd_info(fd, path, &info, err));
    PN_GOTO(done, begin(context, kind, info.size_bytes, err));
    PN_GOTO(done, update_all(context, fd, path, piece, err));
    PN_GOTO(done, finish(context, out, err));
done:
    pn_fd_close(fd);
    pn_free(piece);
    EVP_MD_CTX_free(context);
    return status;
}
