/* tensor_file.c: tensors in files: .npy (numpy.lib.format, versions 1 to 3), or raw values, row-major, little-endian. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

enum { MAX_HEADER = 65536 };
static const char magic[] = "\x93NUMPY";

/* numpy's short name of a type in the header of a file: kind and bytes, with "<" where the order of bytes matters. */
typedef struct type_name {
    const char *dtype, *descr;
} type_name;

static const type_name type_names[] = {
    {"float32", "<f4"}, {"float64", "<f8"}, {"float16", "<f2"}, {"bool", "|b1"},  {"int8", "|i1"},  {"int16", "<i2"},
    {"int32", "<i4"},   {"int64", "<i8"},   {"uint8", "|u1"},   {"uint16", "<u2"}, {"uint32", "<u4"}, {"uint64", "<u8"},
};

static const char *descr_of(const char *dtype) {
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (!strcmp(type_names[i].dtype, dtype)) return type_names[i].descr;
    return "?";
}

static const char *dtype_of(const char *descr) {
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (!strcmp(type_names[i].descr, descr)) return type_names[i].dtype;
    return descr;
}

const char *shape_text(const b2nn_tensor *tensor, char *text, size_t size) {
    size_t used = 0;
    snprintf(text, size, "scalar");
    for (int32_t i = 0; i < tensor->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i ? "x" : "", (long long)tensor->shape[i]);
    return text;
}

static int ends_in_npy(const char *path) {
    size_t length = strlen(path);
    return length >= 4 && !strcmp(path + length - 4, ".npy");
}

/* The text behind `key`, which has quotes, and the colon in the header, a Python dict; NULL without this key. */
static const char *value_of(const char *header, const char *key) {
    const char *at = strstr(header, key);
    if (!at) return NULL;
    at += strlen(key);
    return at + strspn(at, ": ");
}

/* Whether a shape like "(1, 3, 32, 32)" is that of the tensor; the shape goes to `found` in the form of shape_text. */
static int shape_fits(const b2nn_tensor *tensor, const char *value, char *found, size_t size) {
    int32_t rank = 0;
    int fits = 1;
    size_t used = 0;
    snprintf(found, size, "scalar");
    for (const char *at = value + (*value == '('); *at && *at != ')';) {
        char *end;
        long long extent = strtoll(at, &end, 10);
        if (end == at) return 0;
        if (used < size) used += (size_t)snprintf(found + used, size - used, "%s%lld", rank ? "x" : "", extent);
        fits = fits && rank < tensor->rank && tensor->shape[rank] == extent;
        rank++;
        at = end + strspn(end, ", ");
    }
    return fits && rank == tensor->rank;
}

static void check_header(const b2nn_tensor *tensor, const char *path, const char *header) {
    char descr[16] = "", wanted[256], found[256];
    const char *type = value_of(header, "'descr'"), *order = value_of(header, "'fortran_order'");
    const char *shape = value_of(header, "'shape'");
    if (!type || !order || !shape || *shape != '(') fail(FAILED, "%s: the header of this .npy file is damaged", path);
    if (sscanf(type, "'%15[^']'", descr) != 1) fail(FAILED, "%s: the values of this .npy file are no plain numbers", path);
    if (strcmp(descr, descr_of(tensor->dtype)))
        fail(FAILED, "%s: input %s takes %s, the file holds %s; convert it with .astype(\"%s\")", path, tensor->name,
             tensor->dtype, dtype_of(descr), tensor->dtype);
    if (!shape_fits(tensor, shape, found, sizeof found))
        fail(FAILED, "%s: input %s takes shape %s, the file holds %s", path, tensor->name,
             shape_text(tensor, wanted, sizeof wanted), found);
    if (!strncmp(order, "True", 4) && tensor->rank > 1)
        fail(FAILED, "%s: the values of this .npy file are in column-major order; save numpy.ascontiguousarray(...)", path);
}

/* Read and check everything between the magic string and the values: version, length and header. */
static void read_header(const b2nn_tensor *tensor, const char *path, FILE *file) {
    uint8_t version[2], length[4] = {0};
    if (fread(version, 1, 2, file) != 2 || version[0] < 1 || version[0] > 3)
        fail(FAILED, "%s: a version of the .npy format that this program does not know", path);
    size_t wide = version[0] == 1 ? 2 : 4;
    size_t got = fread(length, 1, wide, file);
    uint32_t size = (uint32_t)length[0] | (uint32_t)length[1] << 8 | (uint32_t)length[2] << 16 | (uint32_t)length[3] << 24;
    if (got != wide || size > MAX_HEADER) fail(FAILED, "%s: the header of this .npy file is damaged", path);
    char *header = allocate((uint64_t)size + 1); /* zeroed, so that the string ends */
    if (fread(header, 1, size, file) != size) fail(FAILED, "%s: the file ends within the header", path);
    check_header(tensor, path, header);
    free(header);
}

/* What the first bytes of a file say that it is, where it is a picture; NULL where they do not. */
static const char *picture_kind(const char *start, size_t size) {
    static const struct {
        const char *start, *name;
    } kinds[] = {
        {"\x89PNG", "PNG"}, {"\xff\xd8\xff", "JPEG"}, {"P6", "PPM"}, {"P5", "PGM"}, {"GIF8", "GIF"}, {"RIFF", "WebP"}, {"BM", "BMP"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (size >= strlen(kinds[i].start) && !memcmp(start, kinds[i].start, strlen(kinds[i].start))) return kinds[i].name;
    return NULL;
}

/* End the program, for the file holds another number of bytes than the tensor. */
static _Noreturn void refuse_size(const b2nn_tensor *tensor, const char *path, const char *start, size_t got, const char *holds) {
    char shape[256];
    const char *picture = picture_kind(start, got);
    shape_text(tensor, shape, sizeof shape);
    if (picture)
        fail(FAILED, "%s: this is a %s picture, but --input takes values as they lie in memory (%s, %s); give the picture without --input",
             path, picture, tensor->dtype, shape);
    fail(FAILED, "%s: input %s takes %llu bytes (%s, %s), the file holds %s", path, tensor->name,
         (unsigned long long)tensor->size_bytes, tensor->dtype, shape, holds);
}

void read_tensor(const b2nn_tensor *tensor, const char *path, void *into) {
    char start[sizeof magic - 1];
    FILE *file = fopen(path, "rb");
    if (!file) fail(FAILED, "%s: cannot open this file for input %s: %s", path, tensor->name, strerror(errno));
    size_t got = fread(start, 1, sizeof start, file);
    if (got == sizeof start && !memcmp(start, magic, sizeof start))
        read_header(tensor, path, file);
    else if (ends_in_npy(path))
        fail(FAILED, "%s: this is no .npy file; raw values need another ending", path);
    else
        rewind(file);
    if (fread(into, 1, (size_t)tensor->size_bytes, file) != tensor->size_bytes || fgetc(file) != EOF)
        refuse_size(tensor, path, start, got, feof(file) ? "fewer" : "more");
    fclose(file);
}

/* Write the header in version 1.0 of the format, in which the data start at a multiple of 64 bytes. */
static void write_header(const b2nn_tensor *tensor, FILE *file) {
    char text[512];
    int used = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr_of(tensor->dtype));
    for (int32_t i = 0; i < tensor->rank && used < (int)sizeof text - 32; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%lld", i ? ", " : "", (long long)tensor->shape[i]);
    used += snprintf(text + used, sizeof text - (size_t)used, tensor->rank == 1 ? ",), }" : "), }");
    int length = (10 + used + 1 + 63) / 64 * 64 - 10;
    fwrite(magic, 1, sizeof magic - 1, file);
    fprintf(file, "%c%c%c%c%s%*s\n", 1, 0, length & 255, length >> 8, text, length - used - 1, "");
}

void write_tensor(const b2nn_tensor *tensor, const char *path, const void *from) {
    FILE *file = fopen(path, "wb");
    if (!file) fail(FAILED, "%s: cannot open this file for output %s: %s", path, tensor->name, strerror(errno));
    if (ends_in_npy(path)) write_header(tensor, file);
    int good = fwrite(from, 1, (size_t)tensor->size_bytes, file) == tensor->size_bytes && !ferror(file);
    if (fclose(file) || !good) fail(FAILED, "%s: cannot write output %s: %s", path, tensor->name, strerror(errno));
}
