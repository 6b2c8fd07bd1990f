/* support.c: how every part of b2nn-run ends the program and gets memory. It calls none of them. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

void fail(int status, const char *format, ...) {
    va_list arguments;
    fflush(stdout); /* rows that are done */
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
