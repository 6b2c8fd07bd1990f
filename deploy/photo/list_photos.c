/* list_photos.c: which photos are meant: files, and the images in folders. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_info.h"
#include "photo.h"

static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".pnm"};
/* Images that b2nn_tvm.data reads and this program does not. */
static const char *const foreign[] = {".bmp", ".webp", ".avif", ".gif", ".tif", ".tiff", ".pbm"};

static int ends_in(const char *name, const char *const *of, size_t count) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < count; i++)
        if (!strcasecmp(dot, of[i])) return 1;
    return 0;
}

static int is_photo(const char *name) { return name[0] != '.' && ends_in(name, endings, sizeof endings / sizeof *endings); }
static int is_foreign(const char *name) { return name[0] != '.' && ends_in(name, foreign, sizeof foreign / sizeof *foreign); }

static int is_folder(const char *path) {
    struct stat status;
    return !stat(path, &status) && S_ISDIR(status.st_mode);
}

static char *joined(const char *folder, const char *name) {
    size_t room = strlen(folder) + strlen(name) + 2, length = strlen(folder);
    char *path = allocate(room);
    snprintf(path, room, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
    return path;
}

static void add(photo_list *to, char *path) {
    if (!path) fail(FAILED, "not enough memory");
    to->paths = realloc(to->paths, (size_t)(to->count + 1) * sizeof *to->paths);
    if (!to->paths) fail(FAILED, "not enough memory");
    to->paths[to->count++] = path;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void add_folder(photo_list *to, const char *path) {
    long before = to->count, others = 0;
    DIR *folder = opendir(path);
    if (!folder) fail(FAILED, "%s: cannot open this folder: %s", path, strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (is_photo(entry->d_name)) add(to, joined(path, entry->d_name));
        others += is_foreign(entry->d_name);
    }
    closedir(folder);
    if (to->count == before)
        fail(FAILED, "%s: expected a folder with JPEG, PNG, PPM or PGM files in it, and it has none%s", path,
             others ? "; convert what it has" : "");
    if (others == 1)
        fprintf(stderr, "note: %s: 1 image of another format is left out; convert it to PNG\n", path);
    else if (others)
        fprintf(stderr, "note: %s: %ld images of other formats are left out; convert them to PNG\n", path, others);
    qsort(to->paths + before, (size_t)(to->count - before), sizeof *to->paths, by_name);
}

photo_list list_photos(const char *const *paths, long count) {
    photo_list found = {0};
    for (long i = 0; i < count; i++) {
        if (is_folder(paths[i]))
            add_folder(&found, paths[i]);
        else
            add(&found, strdup(paths[i]));
    }
    return found;
}

int names_photos(const char *path) {
    uint8_t start[16];
    if (!is_folder(path)) {
        FILE *file = fopen(path, "rb");
        size_t got = file ? fread(start, 1, sizeof start, file) : 0;
        if (file) fclose(file);
        const char *slash = strrchr(path, '/');
        return is_image((bytes){start, got}) || is_photo(slash ? slash + 1 : path) || is_foreign(slash ? slash + 1 : path);
    }
    char *library = joined(path, B2NN_LIBRARY);
    int found = 0, is_library = !access(library, F_OK);
    free(library);
    DIR *folder = is_library ? NULL : opendir(path);
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) found = is_photo(entry->d_name) || is_foreign(entry->d_name);
    if (folder) closedir(folder);
    return found;
}
