// What the compiler has been told of the processor.
//
// RATELIMIT_SSE2: x86's vectors, which every x86-64 has.  RATELIMIT_NO_SIMD
// builds the portable paths beside them, for tests and other processors.
// RATELIMIT_TSAN: ThreadSanitizer watches, which does not see inline assembly.

#ifndef RATELIMIT_BASE_SIMD_H_
#define RATELIMIT_BASE_SIMD_H_

#if defined(__SSE2__) && !defined(RATELIMIT_NO_SIMD)
#define RATELIMIT_SSE2 1
#include <emmintrin.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define RATELIMIT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RATELIMIT_TSAN 1
#endif
#endif

#endif  // RATELIMIT_BASE_SIMD_H_
