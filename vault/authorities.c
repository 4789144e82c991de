/* authorities.c: a folder of certificate authorities, as Vault's own command line takes one.
 *
 * That reads every file in it. OpenSSL looks into a folder for names that are hashes (c_rehash), and
 * passes over all others in silence. So OpenSSL gets the folder as it is, and besides the certificates
 * of those files that no hash leads to. Hidden names are left out: of a volume of Kubernetes they are
 * the same files once more. Source: LoadCAPath of hashicorp/go-rootcerts; openssl-rehash(1). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "vault/settings.h"

enum { HASH_DIGITS = 8 };

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

struct file_identity {
    dev_t device;
    ino_t number;
};

struct authorities {
    const char *path;
    DIR *folder;
    struct file_identity *hashed; /* what a name that is a hash leads to */
    size_t hashed_count, hashed_capacity;
    struct buf pem;
};

static void authorities_release(struct authorities *a)
{
    if (a->folder)
        (void)closedir(a->folder); /* only read */
    free(a->hashed);
    buf_release(&a->pem);
}

/* "5ad8a5d6.0": a certificate's. A list of revocations has an "r" before its number. */
static bool is_hash(const char *name)
{
    const char *number = name + HASH_DIGITS + 1;

    return strspn(name, "0123456789abcdef") == HASH_DIGITS && name[HASH_DIGITS] == '.' && *number &&
           number[strspn(number, "0123456789")] == '\0';
}

static bool is_hashed(const struct authorities *a, const struct stat *st)
{
    for (size_t i = 0; i < a->hashed_count; i++)
        if (a->hashed[i].device == st->st_dev && a->hashed[i].number == st->st_ino)
            return true;
    return false;
}

static int remember(struct authorities *a, const struct stat *st, struct err *err)
{
    if (mem_grow(&a->hashed, a->hashed_count, &a->hashed_capacity, sizeof(*a->hashed)) != 0)
        return err_nomem(err);
    a->hashed[a->hashed_count++] = (struct file_identity){st->st_dev, st->st_ino};
    return 0;
}

/* Keys and whatever else stands between certificates is nobody's business. */
static void take_certificates(const struct buf *file, struct buf *pem)
{
    const char *at = buf_text(file), *end = at + file->len;

    while ((at = memmem(at, (size_t)(end - at), PEM_BEGIN, strlen(PEM_BEGIN)))) {
        const char *last = memmem(at, (size_t)(end - at), PEM_END, strlen(PEM_END));
        if (!last)
            return;
        last += strlen(PEM_END);
        buf_add(pem, at, (size_t)(last - at));
        buf_addc(pem, '\n');
        at = last;
    }
}

static int read_file(struct authorities *a, const char *name, struct err *err)
{
    AUTO_BUF content = BUF_INIT(VAULT_AUTHORITIES_MAX_BYTES);
    AUTO_FREE char *path = file_join(a->path, name);

    if (!path)
        return err_nomem(err);
    if (file_read_all(path, &content, err) != 0)
        return err_wrap(err, "read the folder of certificate authorities");
    take_certificates(&content, &a->pem);
    return buf_check(&a->pem, ERR_FILE, "the certificates in a folder of authorities", err);
}

/* One of the folder's entries: first the hashes, then what they do not lead to. */
static int look_at(struct authorities *a, const char *name, bool at_hashes, struct err *err)
{
    struct stat st;

    /* What is gone by now, or leads nowhere, is no authority. */
    if (name[0] == '.' || is_hash(name) != at_hashes ||
        fstatat(dirfd(a->folder), name, &st, 0) != 0 || !S_ISREG(st.st_mode))
        return 0;
    if (at_hashes)
        return remember(a, &st, err);
    return is_hashed(a, &st) ? 0 : read_file(a, name, err);
}

static int look_at_all(struct authorities *a, bool at_hashes, struct err *err)
{
    rewinddir(a->folder);
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(a->folder)); errno = 0)
        if (look_at(a, entry->d_name, at_hashes, err) != 0)
            return -1;
    return errno == 0 ? 0
                      : err_errno(err, ERR_FILE, "read the folder of certificate authorities '%s'",
                                  a->path);
}

int settings_read_folder(struct settings_reading *r, const char *path)
{
    CLEANUP(authorities_release)
    struct authorities a = {.path = path, .pem = BUF_INIT(VAULT_AUTHORITIES_MAX_BYTES)};

    a.folder = opendir(path);
    if (!a.folder) {
        bool is_file = errno == ENOTDIR;
        (void)err_errno(r->err, ERR_FILE, "read the folder of certificate authorities '%s'", path);
        if (is_file)
            (void)err_hint(r->err, "A file is for VAULT_CACERT or vault.ca_cert.");
        return err_at(r->err, path, 0, 0);
    }
    if (look_at_all(&a, true, r->err) != 0 || look_at_all(&a, false, r->err) != 0)
        return -1;
    if (a.pem.len == 0 && a.hashed_count == 0) {
        (void)err_set(r->err, ERR_FILE,
                      "the folder of certificate authorities '%s' has no certificate in it", path);
        (void)err_hint(r->err, "Its files have to be PEM: -----BEGIN CERTIFICATE-----.");
        return err_at(r->err, path, 0, 0);
    }
    return a.pem.len > 0 ? settings_keep(r, &r->config->ca_bytes, buf_text(&a.pem)) : 0;
}
