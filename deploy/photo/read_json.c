/* read_json.c: look up values in a text of JSON (RFC 8259) that was checked as a whole before. */
#include <stdlib.h>
#include <string.h>

#include "photo.h"

enum { MOST_DEPTH = 64 };

static const char *skip_space(const char *at) { return at + strspn(at, " \t\r\n"); }

/* Behind a string, an escape of which may be any character, and four hex digits behind \u; NULL where it does not end. */
static const char *behind_string(const char *at) {
    if (*at++ != '"') return NULL;
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 32) return NULL;
        if (*at != '\\') continue;
        if (!*++at || !strchr("\"\\/bfnrtu", *at)) return NULL;
        if (*at == 'u' && strspn(at + 1, "0123456789abcdefABCDEF") < 4) return NULL;
    }
    return at + 1;
}

static const char *behind_value(const char *at, int depth);

/* Behind an object or an array; NULL where it is wrong. */
static const char *behind_group(const char *at, char end, int depth) {
    at = skip_space(at + 1);
    if (*at == end) return at + 1;
    for (;;) {
        if (end == '}') {
            if (!(at = behind_string(at)) || *(at = skip_space(at)) != ':') return NULL;
            at = skip_space(at + 1);
        }
        if (!(at = behind_value(at, depth))) return NULL;
        at = skip_space(at);
        if (*at == end) return at + 1;
        if (*at != ',') return NULL;
        at = skip_space(at + 1);
    }
}

static const char *behind_value(const char *at, int depth) {
    static const char *const words[] = {"true", "false", "null"};
    if (depth > MOST_DEPTH) return NULL;
    if (*at == '{') return behind_group(at, '}', depth + 1);
    if (*at == '[') return behind_group(at, ']', depth + 1);
    if (*at == '"') return behind_string(at);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncmp(at, words[i], strlen(words[i]))) return at + strlen(words[i]);
    size_t length = strspn(at, "+-.0123456789eE");
    char *end;
    if (!length || *at == '+' || *at == '.') return NULL;
    strtod(at, &end);
    return end == at + length ? end : NULL;
}

int json_is_valid(const char *text) {
    const char *end = behind_value(skip_space(text), 0);
    return end && !*skip_space(end);
}

const char *json_member(const char *object, const char *name) {
    if (!object || *object != '{') return NULL;
    for (const char *at = skip_space(object + 1); *at == '"';) {
        const char *end = behind_string(at), *value = skip_space(skip_space(end) + 1);
        int found = json_equals(at, name);
        if (found) return value;
        at = skip_space(behind_value(value, 0));
        at = *at == ',' ? skip_space(at + 1) : at;
    }
    return NULL;
}

const char *json_first(const char *array) {
    if (!array || *array != '[') return NULL;
    array = skip_space(array + 1);
    return *array == ']' ? NULL : array;
}

const char *json_next(const char *element) {
    const char *at = skip_space(behind_value(element, 0));
    return *at == ',' ? skip_space(at + 1) : NULL;
}

static uint32_t hex4(const char *at) {
    char digits[5] = {at[0], at[1], at[2], at[3], 0};
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* Write a character in UTF-8; returns behind it. */
static char *put_utf8(char *to, uint32_t code) {
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xC0 | code >> 6);
        *to++ = (char)(0x80 | (code & 63));
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xE0 | code >> 12);
        } else {
            *to++ = (char)(0xF0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 63));
        }
        *to++ = (char)(0x80 | (code >> 6 & 63));
        *to++ = (char)(0x80 | (code & 63));
    }
    return to;
}

char *json_text(const char *value) {
    static const char codes[] = "b\bf\fn\nr\rt\t";
    if (!value || *value != '"') return NULL;
    char *text = allocate((uint64_t)(behind_string(value) - value)), *to = text;
    for (const char *at = value + 1; *at != '"'; at++) {
        if (*at != '\\') {
            *to++ = *at;
        } else if (*++at == 'u') {
            uint32_t code = hex4(at + 1);
            at += 4;
            if (code >> 10 == 0x36 && at[1] == '\\' && at[2] == 'u' && hex4(at + 3) >> 10 == 0x37) {
                code = 0x10000 + ((code & 0x3FF) << 10) + (hex4(at + 3) & 0x3FF); /* two halves of a character */
                at += 6;
            }
            to = put_utf8(to, code);
        } else {
            const char *code = strchr(codes, *at);
            *to++ = code ? code[1] : *at;
        }
    }
    return text;
}

int json_equals(const char *value, const char *text) {
    char *own = json_text(value);
    int same = own && !strcmp(own, text);
    free(own);
    return same;
}

int json_number(const char *value, double *number) {
    if (!value || !strchr("-0123456789", *value)) return 0;
    *number = strtod(value, NULL);
    return 1;
}
