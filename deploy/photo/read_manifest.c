/* read_manifest.c: what the manifest beside a library says of photos: how they become the input, and the labels. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "photo.h"

enum { PATH = 8192 };

/* The path of the manifest: in the named folder, beside the named library, or beside this program. */
static void find_manifest(const char *library, char *path) {
    struct stat status;
    char folder[PATH / 2] = "";
    int is_folder = library && !stat(library, &status) && S_ISDIR(status.st_mode);
    ssize_t length = library ? (ssize_t)strlen(library) : readlink("/proc/self/exe", folder, sizeof folder - 1);
    if (length <= 0 || length >= (ssize_t)sizeof folder) fail(FAILED, "cannot tell where the manifest is; name the library");
    if (library) memcpy(folder, library, (size_t)length);
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (!is_folder && slash) slash[slash == folder] = '\0'; /* the root keeps its slash */
    if (!is_folder && !slash) strcpy(folder, ".");
    snprintf(path, PATH, "%s/manifest.json", folder);
}

static char *read_text(const char *path) {
    size_t room = 1 << 16, used = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *text = malloc(room);
    while (text && (used += fread(text + used, 1, room - used - 1, file)) == room - 1) text = realloc(text, room *= 2);
    if (!text) fail(FAILED, "not enough memory");
    fclose(file);
    text[used] = '\0';
    return text;
}

/* The network's only input must be what `how` makes. */
static void check_input(const net *of, const preprocess *how, const char *path) {
    const b2nn_tensor *input = of->b2nn_input_(0);
    char wanted[256];
    int64_t channels = how->channels == GRAY ? 1 : 3;
    int64_t height = how->crop_height ? how->crop_height : how->height, width = how->crop_height ? how->crop_width : how->width;
    const int64_t planes[] = {1, channels, height, width}, pixels[] = {1, height, width, channels};
    if (of->b2nn_input_count_() != 1)
        fail(FAILED, "photos are for networks with one input, and this one has %d; give --input for each", (int)of->b2nn_input_count_());
    if (input->rank != 4 || memcmp(input->shape, how->baked ? pixels : planes, sizeof planes) ||
        strcmp(input->dtype, how->baked ? "uint8" : "float32"))
        fail(FAILED, "%s: its preprocess makes %s of %lldx%lldx%lldx%lld, but the network takes %s of %s; compile it again", path,
             how->baked ? "uint8" : "float32", (long long)1, (long long)(how->baked ? height : channels),
             (long long)(how->baked ? width : height), (long long)(how->baked ? channels : width), input->dtype,
             shape_text(input, wanted, sizeof wanted));
}

static void take_labels(const char *array, meaning *into) {
    for (const char *value = json_first(array); value; value = json_next(value)) into->label_count++;
    if (!into->label_count) return;
    into->labels = allocate((uint64_t)into->label_count * sizeof *into->labels);
    const char *value = json_first(array);
    for (long i = 0; i < into->label_count; i++, value = json_next(value)) into->labels[i] = json_text(value);
}

meaning read_meaning(const net *of, const char *library, const char *for_what) {
    static const char advice[] =
        "compile it from a file that says so (b2nn-compile --mean and --std, or b2nn-search), or give the values of the "
        "input with --input";
    char path[PATH];
    meaning found = {0};
    find_manifest(library, path);
    char *text = read_text(path);
    if (!text) fail(FAILED, "%s: expected the manifest of the library, which says how %s becomes its input; copy the whole folder",
                    path, for_what);
    if (!json_is_valid(text)) fail(FAILED, "%s: the manifest is damaged: copy it again", path);
    if (!json_equals(json_member(json_member(text, "library"), "model_id"), of->b2nn_model_id_()))
        fail(FAILED, "%s: the manifest is that of another library: copy the whole folder again", path);
    const char *how = json_member(text, "preprocess");
    if (!how || *how != '{')
        fail(FAILED, "%s: the manifest does not say how an image becomes the network's input (it has no preprocess); %s", for_what,
             advice);
    const char *wrong = read_preprocess(how, &found.how);
    if (wrong) fail(FAILED, "%s: preprocess: %s; use the b2nn-run of the same folder, or compile it again", path, wrong);
    check_input(of, &found.how, path);
    take_labels(json_member(text, "labels"), &found);
    for (long i = 0; i < found.label_count; i++)
        if (!found.labels[i]) fail(FAILED, "%s: labels are not all text; compile it again", path);
    free(text);
    return found;
}

void free_meaning(meaning *of) {
    for (long i = 0; i < of->label_count; i++) free((void *)(uintptr_t)of->labels[i]);
    free(of->labels);
}
