/*
 * faults.c - count up, call, compare
 */
#include "support/faults.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the three above first */
#include <cmocka.h>

enum { MOST_ALLOCATIONS = 100000 };

int64_t faults_each_allocation(faults_work work, void *context)
{
    int64_t live = pn_alloc_live();
    for (int64_t n = 1; n < MOST_ALLOCATIONS; n++) {
        pn_error err = {0};
        pn_alloc_fail_after(n);
        pn_status status = work(context, &err);
        pn_alloc_fail_after(0);
        if (pn_alloc_live() != live)
            fail_msg("allocation %" PRId64 " fails: %" PRId64 " blocks are left", n,
                     pn_alloc_live() - live);
        if (status == PN_OK)
            return n - 1;
        if (status != PN_ERR_NOMEM || strcmp(err.message, "out of memory") != 0)
            fail_msg("allocation %" PRId64 " fails: status %d: %s", n, status, err.message);
    }
    fail_msg("it never gets through");
    return 0;
}
