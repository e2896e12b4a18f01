/*
 * how_many.h - tests of which there can always be more
 */
#ifndef PN_TESTS_SUPPORT_HOW_MANY_H
#define PN_TESTS_SUPPORT_HOW_MANY_H

#include <stdint.h>

/* What the environment asks for, or as many as suffice for every day. */
uint64_t how_many(const char *variable, uint64_t otherwise);

#endif
