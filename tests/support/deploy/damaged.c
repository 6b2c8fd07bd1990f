/* Reads thousands of damaged .npy files, each in a process of its own, as b2nn-run would; for the sanitizers. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner.h"

#ifndef FILES
#define FILES 300
#endif

static const int64_t shape[] = {1, 3, 4, 5};
static const b2nn_tensor tensor = {"x", "float32", 4, shape, 240};
static const char good[] = "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 4, 5), }";
enum { HEADER = 128, BYTES = HEADER + 240 };

void fail(int status, const char *format, ...) {
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments); /* reads what it is given */
    va_end(arguments);
    _exit(status);
}

void *allocate(uint64_t bytes) { return calloc(1, (size_t)bytes); }

static uint32_t draw(uint32_t below) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(state >> 8) * below >> 24);
}

static void write_file(const char *path, int damaged) {
    uint8_t bytes[BYTES + 64];
    size_t count = BYTES;
    memset(bytes, ' ', HEADER);
    memcpy(bytes, good, sizeof good - 1);
    bytes[HEADER - 1] = '\n';
    memset(bytes + HEADER, 1, sizeof bytes - HEADER);
    for (uint32_t i = 0; damaged && i <= draw(4); i++) {
        uint32_t at = draw(sizeof good + 2);
        switch (draw(4)) {
            case 0: bytes[at] = (uint8_t)draw(256); break;
            case 1: bytes[at] = (uint8_t)"'(),0129{}: -"[draw(13)]; break;
            case 2: memmove(bytes + at, bytes + at + 1 + draw(8), BYTES - at - 9); break;
            default: count = draw(BYTES + 64);
        }
    }
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, count, file) != count || fclose(file)) exit(3);
}

int main(int argc, char **argv) {
    int refused = 0, status;
    if (argc != 2) return 2;
    for (int i = 0; i < FILES; i++) {
        write_file(argv[1], i > 0);
        pid_t child = fork();
        if (child == 0) {
            uint8_t *values = malloc((size_t)tensor.size_bytes); /* of the exact size, so that one byte more is noticed */
            read_tensor(&tensor, argv[1], values);
            _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child) return 4;
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1 || (i == 0 && WEXITSTATUS(status))) return 5;
        refused += WEXITSTATUS(status);
    }
    printf("%d of %d refused\n", refused, FILES);
    return 0;
}
