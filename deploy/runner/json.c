/* json.c: the small part of JSON that b2nn-run prints. */
#include "runner.h"

void print_string(const char *text) {
    putchar('"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') putchar('\\');
        if ((unsigned char)*c < 32)
            printf("\\u%04x", (unsigned)*c);
        else
            putchar(*c);
    }
    putchar('"');
}

void print_member(const char *name, const char *text) {
    printf("\"%s\": ", name);
    print_string(text);
}

void print_number(const char *name, const double *value) {
    printf("\"%s\": ", name);
    value ? printf("%.6f", *value) : printf("null");
}

void print_numbers(const double *values, long count) {
    putchar('[');
    for (long i = 0; i < count; i++) printf("%s%.6f", i ? ", " : "", values[i]);
    putchar(']');
}
