/*
 * vips_visit.h - whose error text is it?
 *
 * libvips has one error buffer for all threads. Every use of it that can fail is a visit; at the end we know whether somebody
 * else was inside meanwhile. If so, the text may be another's: the failing work is done once more, alone.
 *
 * Threads: any.
 */
#ifndef PN_IMAGE_VIPS_VISIT_H
#define PN_IMAGE_VIPS_VISIT_H

#include "base/compiler.h"

typedef struct pn_vips_visit {
    uint64_t serial;
    bool found_empty;
} pn_vips_visit;

/* Waits while somebody wants to be alone: PN_VIPS_ALONE_MS at most, and as long as that one's short work. */
void pn_vips_enter(pn_vips_visit *visit);
/* True: nobody else was inside between enter and leave, so what is in the error buffer is this visit's. */
bool pn_vips_leave(const pn_vips_visit *visit);

/* What is in the error buffer; when that is empty, the last warning: libpng's words reach us as nothing else. */
void pn_vips_reason(char *to, size_t n);
/* For libvips' log, from any of its threads. */
void pn_vips_warned(const char *message);

/* Keep others out and wait until all have left; false when that takes longer than PN_VIPS_ALONE_MS. */
#define PN_VIPS_ALONE_MS 200
PN_NODISCARD bool pn_vips_enter_alone(void);
void pn_vips_leave_alone(void);

#endif
