/*
 * http_url.h - what is asked of a URL: where it leads, and how to show it
 * Threads: pure calls.
 */
#ifndef PN_OS_HTTP_URL_H
#define PN_OS_HTTP_URL_H

#include "base/status.h"

/* For messages: "https://host:port/path", without user, password, query and fragment, which may hold secrets; cut to fit. */
enum { PN_HTTP_SHOWN_BYTES = 256 };
void pn_http_show_url(const char *url, char out[PN_HTTP_SHOWN_BYTES]);

/* INVALID: no URL, or neither http nor https. */
PN_NODISCARD pn_status pn_http_check_url(const char *url, pn_error *err);

/* Do both have the same scheme, host and port? */
bool pn_http_same_origin(const char *a, const char *b);
bool pn_http_is_https(const char *url);
/* Is its host this machine by name: localhost, or an address of 127.0.0.0/8 or ::1? */
bool pn_http_is_loopback(const char *url);

/* Is this struct sockaddr one of this machine or of a private network (loopback, RFC 1918, link-local, unique local, shared,
 * unspecified; of IPv6 also what is mapped to such)? Other families count as private. */
bool pn_http_address_is_private(const void *address);

#endif
