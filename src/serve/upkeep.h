/*
 * upkeep.h - what a service does beside answering: rows that came get their index
 *
 * One thread of the lowest priority looks every second whether an index is due, and builds it on one processor.
 */
#ifndef PN_SERVE_UPKEEP_H
#define PN_SERVE_UPKEEP_H

#include "serve/request.h"

typedef struct pn_upkeep pn_upkeep;

/* service outlives it. *out NULL when nothing may be changed. */
PN_NODISCARD pn_status pn_upkeep_start(pn_service *service, pn_upkeep **out, pn_error *err);
/* Stops what is being built, and waits. NULL is welcome. */
void pn_upkeep_stop(pn_upkeep *upkeep);

#endif
