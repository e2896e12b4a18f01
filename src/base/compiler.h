/*
 * compiler.h - the compiler extensions this house uses, under one name each
 *
 * gcc 12 and clang 14 both have them. Nothing else in the tree spells __attribute__ or __builtin_.
 */
#ifndef PN_BASE_COMPILER_H
#define PN_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PN_PRINTF(format_i, first_i) __attribute__((format(printf, format_i, first_i)))
#define PN_NODISCARD __attribute__((warn_unused_result))
#define PN_MALLOC __attribute__((malloc))
#define PN_ALWAYS_INLINE inline __attribute__((always_inline))
#define PN_NORETURN __attribute__((noreturn))
#define PN_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define PN_LIKELY(x) __builtin_expect(!!(x), 1)
#define PN_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Begin to fetch the cache line at this address for reading. */
#define PN_PREFETCH(address) __builtin_prefetch(address)
/* The same, into the second-level cache and no further. */
#define PN_PREFETCH_FAR(address) __builtin_prefetch(address, 0, 2)
/* In front of a loop with few, constant turns: kernels keep its array in registers only when it is unrolled. */
#ifdef __clang__
#    define PN_UNROLL _Pragma("unroll")
#else
#    define PN_UNROLL _Pragma("GCC unroll 32")
#endif
#define PN_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define PN_MAX(a, b) ((a) > (b) ? (a) : (b))

/* For what only our own bug can break: stays on in release. Bytes from outside get an error, never an assert. */
PN_NORETURN void pn_assert_failed(const char *condition, const char *file, int line);
#define pn_assert(condition)                                                                       \
    do {                                                                                           \
        if (PN_UNLIKELY(!(condition)))                                                             \
            pn_assert_failed(#condition, __FILE__, __LINE__);                                      \
    } while (0)

#ifdef NDEBUG
#    define pn_assert_hot(condition) ((void)0)
#else
#    define pn_assert_hot(condition) pn_assert(condition)
#endif

/* Checked arithmetic for sizes from outside: true when the result fits, false (and *out unspecified) otherwise. */
static inline PN_NODISCARD bool pn_size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline PN_NODISCARD bool pn_size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline PN_NODISCARD bool pn_u64_add(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline PN_NODISCARD bool pn_u64_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* The same for signed values that people compute with. */
static inline PN_NODISCARD bool pn_i64_add(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

static inline PN_NODISCARD bool pn_i64_subtract(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_sub_overflow(a, b, out);
}

static inline PN_NODISCARD bool pn_i64_multiply(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

#endif
