/*
 * faults.h - the same work again and again, with one more allocation granted each time
 *
 * Uses the switch of base/alloc.h. The n-th allocation and all behind it fail, for n = 1, 2, ... until the work gets through:
 * each time before that it must say NOMEM, and nothing it allocated may be left behind.
 */
#ifndef PN_TESTS_SUPPORT_FAULTS_H
#define PN_TESTS_SUPPORT_FAULTS_H

#include "base/status.h"

/* Does the work and takes its result down again. */
typedef pn_status (*faults_work)(void *context, pn_error *err);

/* Returns how often it failed; fails the running test when the promise above is broken. */
int64_t faults_each_allocation(faults_work work, void *context);

#endif
