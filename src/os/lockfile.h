/*
 * lockfile.h - an advisory lock on a file, freed by the kernel when the process ends
 * Threads: a lock belongs to its holder object.
 */
#ifndef PN_OS_LOCKFILE_H
#define PN_OS_LOCKFILE_H

#include "base/status.h"

typedef struct pn_lockfile pn_lockfile;
/* CONFLICT when another process holds it. The file is created and stays. */
PN_NODISCARD pn_status pn_lockfile_take(const char *path, pn_lockfile **out, pn_error *err);
void pn_lockfile_release(pn_lockfile *lock); /* NULL is welcome */

#endif
