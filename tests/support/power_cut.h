/*
 * power_cut.h - what a disk holds when the power goes, by the letter of what fsync() promises
 *
 * A process that ends leaves what it wrote in the kernel's memory, and the next one sees all of it: as if every call had been synced.
 * This model keeps account of what was. A file has the bytes that it had when it was synced last, and none when it never was; a folder has
 * the names that it had then. What was not synced may have come to the disk all the same, in any order, so that a cut has several
 * outcomes.
 *
 *     power_cut_snapshot(root, shadow)     all of root is on the disk
 *     power_cut_watch(root, shadow)        in the process that will end, with pn_fd_fault_after()
 *     power_cut_unwatch()                  the same process, when it came through
 *     power_cut_leave(..., kind, out)      what there is afterwards, in a new folder
 *
 * root and shadow are folders; neither is in the other. A folder is synced after its own name was: anything else ends the process with
 * status 7.
 */
#ifndef PN_TESTS_SUPPORT_POWER_CUT_H
#define PN_TESTS_SUPPORT_POWER_CUT_H

typedef enum power_cut_kind {
    POWER_CUT_LOSES_ALL,      /* that was not synced */
    POWER_CUT_LOSES_BYTES,    /* all names are there, files that were not synced are empty */
    POWER_CUT_TEARS_BYTES,    /* the same, and they have half of them */
    POWER_CUT_KEEPS_VERSIONS, /* names in folders called _versions are there, and no others */
    POWER_CUT_LOSES_VERSIONS, /* the other way round */
    POWER_CUT_KINDS
} power_cut_kind;

void power_cut_snapshot(const char *root, const char *shadow);
void power_cut_watch(const char *root, const char *shadow);
void power_cut_unwatch(void);
void power_cut_leave(const char *root, const char *shadow, power_cut_kind kind, const char *out);

#endif
