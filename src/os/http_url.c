/*
 * http_url.c - URLs as libcurl itself reads them, so that no two readers disagree on where one leads
 */
#include "os/http_url.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

/* NULL: not a URL. curl_url_cleanup(). */
static CURLU *parse(const char *url)
{
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK) {
        curl_url_cleanup(u);
        u = NULL;
    }
    return u;
}

/* curl_free(); NULL: there is no such part. */
static char *part_of(CURLU *u, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return u && curl_url_get(u, part, &text, flags) == CURLUE_OK ? text : NULL;
}

void pn_http_show_url(const char *url, char out[PN_HTTP_SHOWN_BYTES])
{
    CURLU *u = parse(url);
    char *scheme = part_of(u, CURLUPART_SCHEME, 0), *host = part_of(u, CURLUPART_HOST, 0),
         *port = part_of(u, CURLUPART_PORT, 0), *path = part_of(u, CURLUPART_PATH, 0);
    if (scheme && host && path)
        (void)snprintf(out, PN_HTTP_SHOWN_BYTES, "%s://%s%s%s%s", scheme, host, port ? ":" : "",
                       port ? port : "", path); // a longer one is cut
    else
        (void)snprintf(out, PN_HTTP_SHOWN_BYTES, "(not a URL)");
    pn_text_trim_partial(out);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_url_cleanup(u);
}

pn_status pn_http_check_url(const char *url, pn_error *err)
{
    char shown[PN_HTTP_SHOWN_BYTES];
    CURLU *u = parse(url);
    char *scheme = part_of(u, CURLUPART_SCHEME, 0);
    bool known = scheme && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(u);
    if (known)
        return PN_OK;
    pn_http_show_url(url, shown);
    return pn_fail(err, PN_ERR_INVALID, "%s: a URL that begins with http:// or https:// is needed",
                   shown);
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    char *x = part_of(a, part, CURLU_DEFAULT_PORT), *y = part_of(b, part, CURLU_DEFAULT_PORT);
    bool same = x && y && pn_str_equal_ignore_case(pn_str_of(x), pn_str_of(y));
    curl_free(x);
    curl_free(y);
    return same;
}

bool pn_http_same_origin(const char *a, const char *b)
{
    CURLU *x = parse(a), *y = parse(b);
    bool same = same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) &&
                same_part(x, y, CURLUPART_PORT);
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}

bool pn_http_is_https(const char *url)
{
    CURLU *u = parse(url);
    char *scheme = part_of(u, CURLUPART_SCHEME, 0);
    bool is = scheme && strcmp(scheme, "https") == 0;
    curl_free(scheme);
    curl_url_cleanup(u);
    return is;
}

bool pn_http_is_loopback(const char *url)
{
    CURLU *u = parse(url);
    char *host = part_of(u, CURLUPART_HOST, 0);
    struct in_addr v4;
    bool is = host && (pn_str_equal_ignore_case(pn_str_of(host), PN_STR_LITERAL("localhost")) ||
                       strcmp(host, "[::1]") == 0 ||
                       (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127));
    curl_free(host);
    curl_url_cleanup(u);
    return is;
}

static bool is_private_ipv4(uint32_t a)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } nets[] = {{0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},
                {0xA9FE0000, 16}, {0xAC100000, 12}, {0xC0000000, 24}, {0xC0A80000, 16},
                {0xC6120000, 15}, {0xE0000000, 3}}; // the last: multicast and reserved
    for (size_t i = 0; i < PN_COUNT_OF(nets); i++)
        if ((a ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return true;
    return false;
}

static bool is_private_ipv6(const uint8_t a[16])
{
    static const uint8_t zero[16];
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    static const uint8_t nat64[12] = {0, 0x64, 0xFF, 0x9B};
    if (memcmp(a, mapped, 12) == 0 || memcmp(a, nat64, 12) == 0)
        return is_private_ipv4((uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 |
                               (uint32_t)a[14] << 8 | a[15]);
    if (memcmp(a, zero, 12) == 0) // unspecified, loopback, and the old way to write an IPv4 one
        return true;
    return (a[0] & 0xFE) == 0xFC || (a[0] == 0xFE && a[1] >= 0x80) || a[0] == 0xFF;
}

bool pn_http_address_is_private(const void *address)
{
    sa_family_t family;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&family, (const char *)address + offsetof(struct sockaddr, sa_family), sizeof family);
    if (family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return is_private_ipv4(ntohl(v4.sin_addr.s_addr));
    }
    if (family == AF_INET6) {
        memcpy(&v6, address, sizeof v6);
        return is_private_ipv6(v6.sin6_addr.s6_addr);
    }
    return true;
}
