/* support.c: the functions by which all parts of b2nn-run end the program, get memory and read clocks. They call no other
 * part. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

void fail(int status, const char *format, ...) {
    va_list arguments;
    fflush(stdout); /* keep the rows that are done */
    va_start(arguments, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

void *allocate(uint64_t bytes) {
    void *memory = NULL;
    if (bytes > SIZE_MAX - 64 || posix_memalign(&memory, 64, bytes ? (size_t)bytes : 64)) fail(FAILED, "not enough memory");
    return memset(memory, 0, (size_t)bytes);
}

double now_ms(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}
