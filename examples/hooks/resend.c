/* examples/hooks/resend.c: an API key of Resend, rotated by agent (strategy `hook`).
 *
 *   cc -std=c17 -D_GNU_SOURCE -O2 -o resend resend.c $(pkg-config --cflags --libs libcurl jansson)
 *
 * One file, so that it can be copied: that is why it is longer than others here.
 *
 * From the documentation (resend.com/docs/api-reference: api-keys, errors, rate-limit), not more:
 *   POST   /api-keys {name, permission, domain_id} -> 201 {id, token}; the token is shown once
 *   GET    /api-keys?limit&after -> {has_more, data: [{id, name}]}, without tokens
 *   DELETE /api-keys/{id}
 *   A name has at most 50 characters. A key that may only send is answered 401 `restricted_api_key` by
 *   everything else; one that is gone 400, 401 or 403 (the pages differ). 429 has Retry-After.
 * Never tried for real: all of it. This program has only talked to a local server that behaves as those
 * pages say. Not said there, and taken as given: that a key works as soon as it is answered, and that a
 * key that was just made or deleted is seen so by the next list.
 *
 * How it is safe: a key is named after the rotation (key_name). `create` looks for that name first: a key
 * of that name is one whose token was lost on the way; it is deleted, and one is made again. `retire`
 * deletes the keys of the same variable with other rotations in their names, and never without having
 * seen the new one among the keys. Keys of other names are touched only when the contract names them.
 *
 * `config`: project (required: it is part of the name), permission, domain_id, field (by default the one
 * that the store has, else `api_key`), key_name, former_key_id (the key made by hand that the first
 * rotation replaces), test_from (send a mail to Resend's sink as the test), api_key_file or api_key_env (a
 * key with full access; by default RESEND_ADMIN_KEY), or rotates_itself: true, where the rotated key has
 * full access and is used. */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define API          "https://api.resend.com"
#define SINK         "delivered@resend.dev" /* Resend's own address for tests */
#define UNRESERVED   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
#define OF_ROTATIONS "0123456789abcdef-" /* what their ids are made of */

/* What agent understands. */
enum { DONE = 0, FAILED = 1, DONE_BEFORE = 10, LATER = 20, NO_SUCH_STEP = 78 };

enum {
    INPUT_MAX_BYTES = 1024 * 1024,
    BODY_MAX_BYTES = 4 * 1024 * 1024,
    TEXT_MAX_BYTES = 1024,
    ID_MAX_BYTES = 128,       /* of a key; Resend's have 36 */
    NAME_MAX_CHARACTERS = 50, /* Resend's */
    ID_LEAST_CHARACTERS = 12, /* of a rotation's id: that many tell it from others */
    PAGE = 100,               /* keys in one answer, Resend's greatest */
    PAGES_MAX = 100,
    CONNECT_SECONDS = 10,
    REQUEST_SECONDS = 20,
    PATIENCE_SECONDS = 5, /* waited here where a 429 asks for no more; else agent comes again */
    PATIENCE_TIMES = 3,
};

struct job {
    json_t *input; /* what the texts below lie in */
    const char *step, *id, *field;
    const char *current, *pending; /* the former key and the new one, or NULL */
    json_t *config;
    const char *api;
    char admin[TEXT_MAX_BYTES]; /* the key that may make and delete keys */
    char name[NAME_MAX_CHARACTERS + 1];
    size_t base; /* of it, before the rotation's id */
};

struct answer {
    long status;
    json_t *body; /* NULL: no JSON; json_decref */
};

/* ---- the end -------------------------------------------------------------------------------- */

/* Say one JSON object and end. SECRET may be NULL; else it becomes the object's `secret`. What is said
 * has no secret in it: statuses, names and Resend's words for kinds of errors. */
static _Noreturn void finish(int code, json_t *secret, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static _Noreturn void finish(int code, json_t *secret, const char *format, ...)
{
    char message[TEXT_MAX_BYTES];
    va_list arguments;
    json_t *said = json_object();

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!said || (secret && json_object_set_new(said, "secret", secret) < 0) ||
        json_object_set_new(said, "message", json_string(message)) < 0 ||
        json_dumpf(said, stdout, JSON_COMPACT) < 0 || fputc('\n', stdout) == EOF ||
        fflush(stdout) == EOF) {
        (void)fputs("resend: the answer could not be written\n", stderr);
        code = FAILED;
    }
    exit(code);
}

/* ---- what agent says ------------------------------------------------------------------------ */

/* NULL where there is none, or it is empty. */
static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text && *text ? text : NULL;
}

static const char *required(const json_t *object, const char *where, const char *member)
{
    const char *text = text_of(object, member);

    if (!text)
        finish(FAILED, NULL, "%s has no '%s', or it is no text", where, member);
    return text;
}

/* The first line of PATH, or of the environment's NAME, into OUT. */
static void read_key(const char *path, const char *name, char out[static TEXT_MAX_BYTES])
{
    const char *value = path ? NULL : getenv(name);
    errno = 0;
    FILE *file = path ? fopen(path, "re") : NULL;
    bool read = file && fgets(out, TEXT_MAX_BYTES, file);
    int problem = errno;

    if (file)
        (void)fclose(file); /* it was only read */
    if (path && !read)
        finish(FAILED, NULL, "read api_key_file '%s': %s", path,
               problem ? strerror(problem) : "it is empty");
    if (!path)
        (void)snprintf(out, TEXT_MAX_BYTES, "%s", value ? value : "");
    out[strcspn(out, "\r\n")] = '\0';
    if (!*out || out[strspn(out, UNRESERVED)])
        finish(FAILED, NULL, "%s '%s' has no API key of Resend's with full access",
               path ? "api_key_file" : "the environment's", path ? path : name);
}

/* Resend itself, or a server of this machine, for tests: the key goes nowhere else. */
static const char *api_of(const json_t *config)
{
    static const char *const ours[] = {"http://127.0.0.1:", "http://localhost:", "http://[::1]:"};
    const char *api = text_of(config, "api");

    if (!api)
        return API;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        size_t length = strlen(ours[i]);
        if (strncmp(api, ours[i], length) == 0 && api[length] &&
            !api[length + strspn(api + length, "0123456789")])
            return api;
    }
    finish(FAILED, NULL, "config.api is for tests, and the loopback's: http://127.0.0.1:PORT");
}

/* agent-<project>-<profile>-<NAME>-<id>; where that is too long the id's last characters, which are its
 * random ones. */
static void make_name(struct job *job)
{
    const char *base = text_of(job->config, "key_name");
    const char *profile = text_of(job->input, "profile");
    size_t id_length = strlen(job->id);
    int length;

    if (base)
        length = snprintf(job->name, sizeof job->name, "%s-", base);
    else
        length = snprintf(job->name, sizeof job->name, "agent-%s%s%s-%s-",
                          required(job->config, "config", "project"), profile ? "-" : "",
                          profile ? profile : "", required(job->input, "the input", "name"));
    if (length < 0 || length + ID_LEAST_CHARACTERS > NAME_MAX_CHARACTERS)
        finish(FAILED, NULL,
               "the key's name leaves no room for the rotation's id: give config.key_name, at most "
               "%d characters",
               NAME_MAX_CHARACTERS - ID_LEAST_CHARACTERS - 1);
    job->base = (size_t)length;
    size_t room = NAME_MAX_CHARACTERS - job->base;
    const char *id = id_length > room ? job->id + (id_length - room) : job->id;
    memcpy(job->name + job->base, id, strlen(id) + 1);
}

/* The key that makes and deletes keys. */
static void find_admin(struct job *job)
{
    const char *path = text_of(job->config, "api_key_file");
    const char *name = text_of(job->config, "api_key_env");

    if (!json_is_true(json_object_get(job->config, "rotates_itself"))) {
        read_key(path, name ? name : "RESEND_ADMIN_KEY", job->admin);
        return;
    }
    /* The new one wherever it is there: what is deleted must not be what deletes. */
    bool former = strcmp(job->step, "create") == 0 || strcmp(job->step, "rollback") == 0;
    const char *key = former ? job->current : job->pending;
    if (!key)
        finish(FAILED, NULL, "rotates_itself: there is no '%s' to make or delete keys with",
               job->field);
    (void)snprintf(job->admin, sizeof job->admin, "%s", key);
}

/* A key of Resend's, which becomes a header; NULL where there is none, or what is there is no key. */
static const char *key_of(const json_t *group, const char *field)
{
    const char *key = text_of(group, field);

    return key && strlen(key) < TEXT_MAX_BYTES && !key[strspn(key, UNRESERVED)] ? key : NULL;
}

/* The value's name in the store: what the contract says, the one that there is, or `api_key`. */
static const char *field_of(const struct job *job)
{
    const char *field = text_of(job->config, "field");
    json_t *current = json_object_get(job->input, "current");
    json_t *group = json_object_size(current) ? current : json_object_get(job->input, "pending");

    if (!field && json_object_size(group) == 1)
        field = json_object_iter_key(json_object_iter(group));
    return field ? field : "api_key";
}

static void read_job(struct job *job)
{
    static char input[INPUT_MAX_BYTES];
    size_t length = fread(input, 1, sizeof input, stdin);
    json_error_t problem;

    if (length == sizeof input || ferror(stdin))
        finish(FAILED, NULL, "the input could not be read, or has more than %d bytes",
               INPUT_MAX_BYTES);
    job->input = json_loadb(input, length, JSON_REJECT_DUPLICATES, &problem);
    explicit_bzero(input, length);
    if (!json_is_object(job->input) ||
        json_integer_value(json_object_get(job->input, "version")) != 1)
        finish(FAILED, NULL, "the input is not one JSON object of version 1");
    job->config = json_object_get(job->input, "config");
    job->step = required(job->input, "the input", "step");
    job->id = required(job->input, "the input", "id");
    job->field = field_of(job);
    job->current = key_of(json_object_get(job->input, "current"), job->field);
    job->pending = key_of(json_object_get(job->input, "pending"), job->field);
    job->api = api_of(job->config);
    make_name(job);
}

/* ---- talking to Resend ---------------------------------------------------------------------- */

struct body {
    char *bytes;
    size_t length;
};

static size_t take(char *bytes, size_t one, size_t count, void *into)
{
    struct body *body = into;
    size_t length = one * count; /* curl's `one` is 1 */

    if (length > BODY_MAX_BYTES - body->length)
        return 0; /* curl ends the transfer */
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
    return length;
}

/* One exchange. *wait_s: what Retry-After said. Ends the program when there was no answer. */
static void exchange(CURL *curl, const char *what, struct answer *answer, long *wait_s)
{
    struct body body = {malloc(BODY_MAX_BYTES), 0};
    curl_off_t retry_after = 0;

    if (!body.bytes)
        finish(LATER, NULL, "%s: no memory", what);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        finish(LATER, NULL, "%s: %s; whether it was done is looked at the next time", what,
               curl_easy_strerror(code));
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    (void)curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after);
    *wait_s = (long)retry_after;
    answer->body = json_loadb(body.bytes, body.length, 0, NULL);
    explicit_bzero(body.bytes, body.length);
    free(body.bytes);
}

static CURL *open_request(const char *method, const char *url, const char *send,
                          struct curl_slist *headers)
{
    CURL *curl = curl_easy_init();
    CURLcode code = curl ? CURLE_OK : CURLE_FAILED_INIT;

#define SET(option, value) (code = code ? code : curl_easy_setopt(curl, option, value))
    SET(CURLOPT_URL, url);
    SET(CURLOPT_CUSTOMREQUEST, method);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEFUNCTION, take);
    SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    SET(CURLOPT_TIMEOUT, (long)REQUEST_SECONDS);
    SET(CURLOPT_NOSIGNAL, 1L);
    if (send)
        SET(CURLOPT_POSTFIELDS, send);
#undef SET
    if (code)
        finish(FAILED, NULL, "libcurl: %s", curl_easy_strerror(code));
    return curl;
}

/* METHOD PATH with KEY, and SEND (owned here) as the body, NULL for a GET or a DELETE. Comes back with an answer
 * that is for good: 429 and 5xx end the program with "later". */
static struct answer ask(const struct job *job, const char *method, const char *path,
                         const char *key, json_t *send)
{
    char url[TEXT_MAX_BYTES], bearer[TEXT_MAX_BYTES + sizeof "Authorization: Bearer "];
    char *text = send ? json_dumps(send, JSON_COMPACT) : NULL;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    struct answer answer = {0};
    long wait_s = 0;

    (void)snprintf(url, sizeof url, "%s%s", job->api, path);
    (void)snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", key);
    if (headers)
        headers = curl_slist_append(headers, bearer);
    if (!headers || (strcmp(method, "POST") == 0 && !text))
        finish(LATER, NULL, "%s %s: no memory", method, path);
    CURL *curl = open_request(method, url, text, headers);
    for (int times = 0; times <= PATIENCE_TIMES; times++) {
        exchange(curl, path, &answer, &wait_s);
        if (answer.status != 429 || wait_s > PATIENCE_SECONDS || times == PATIENCE_TIMES)
            break;
        json_decref(answer.body);
        (void)sleep(wait_s > 0 ? (unsigned)wait_s : 1);
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    explicit_bzero(bearer, sizeof bearer);
    free(text);
    json_decref(send);
    if (answer.status == 429)
        finish(LATER, NULL, "%s %s: too many requests; again in %ld s", method, path, wait_s);
    if (answer.status >= 500)
        finish(LATER, NULL, "%s %s: Resend answered %ld", method, path, answer.status);
    return answer;
}

/* Resend's word for what is wrong; it has no value in it. */
static const char *word_of(const struct answer *answer)
{
    const char *word = text_of(answer->body, "name");

    return word && !word[strspn(word, UNRESERVED)] ? word : "no word";
}

static _Noreturn void unexpected(const char *what, const struct answer *answer)
{
    finish(FAILED, NULL, "%s: Resend answered %ld (%s)", what, answer->status, word_of(answer));
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* A key's id, which goes into a URL. */
static const char *id_of(const json_t *key)
{
    const char *id = text_of(key, "id");

    if (!id || strlen(id) >= ID_MAX_BYTES || id[strspn(id, UNRESERVED)])
        finish(FAILED, NULL, "Resend's list has a key without an id, or with one that is none");
    return id;
}

/* Every key's {id, name}. */
static json_t *list_keys(const struct job *job)
{
    json_t *keys = json_array();
    char path[TEXT_MAX_BYTES], after[ID_MAX_BYTES] = "";

    for (int page = 0; page < PAGES_MAX; page++) {
        (void)snprintf(path, sizeof path, "/api-keys?limit=%d%s%s", PAGE, *after ? "&after=" : "",
                       after);
        struct answer answer = ask(job, "GET", path, job->admin, NULL);
        json_t *data = json_object_get(answer.body, "data");
        size_t count = json_array_size(data);
        if (answer.status != 200 || !json_is_array(data))
            unexpected("list the keys", &answer);
        if (!keys || json_array_extend(keys, data) < 0)
            finish(LATER, NULL, "list the keys: no memory");
        bool more = json_is_true(json_object_get(answer.body, "has_more")) && count > 0;
        if (more)
            (void)snprintf(after, sizeof after, "%s", id_of(json_array_get(data, count - 1)));
        json_decref(answer.body);
        if (!more)
            return keys;
    }
    finish(FAILED, NULL, "list the keys: more than %d", PAGES_MAX * PAGE);
}

/* Whether NAME is of this variable and of another rotation: as long as ours, and with an id behind. */
static bool is_former(const struct job *job, const char *name)
{
    return name && strcmp(name, job->name) != 0 && strlen(name) == strlen(job->name) &&
           strncmp(name, job->name, job->base) == 0 &&
           !name[job->base + strspn(name + job->base, OF_ROTATIONS)];
}

static bool is_ours(const struct job *job, const char *name)
{
    return name && strcmp(name, job->name) == 0;
}

static bool is_to_go(const struct job *job, const json_t *key, bool former)
{
    const char *name = text_of(key, "name"), *id = text_of(key, "id");
    const char *by_hand = text_of(job->config, "former_key_id");

    if (!former)
        return is_ours(job, name);
    return is_former(job, name) ||
           (id && by_hand && strcmp(id, by_hand) == 0 && !is_ours(job, name));
}

/* The keys that are to go: the former ones, or (FORMER is false) ours. *ours: how many are there of it. */
static json_t *find_keys(const struct job *job, bool former, size_t *ours)
{
    json_t *keys = list_keys(job), *found = json_array();

    *ours = 0;
    for (size_t i = 0; i < json_array_size(keys); i++) {
        json_t *key = json_array_get(keys, i);
        *ours += is_ours(job, text_of(key, "name"));
        if (is_to_go(job, key, former) && (!found || json_array_append(found, key) < 0))
            finish(LATER, NULL, "look through the keys: no memory");
    }
    json_decref(keys);
    return found;
}

/* Delete KEYS, and see that they are gone. How many there were. */
static size_t delete_keys(const struct job *job, json_t *keys, bool former)
{
    size_t count = json_array_size(keys), ours;

    for (size_t i = 0; i < count; i++) {
        char path[TEXT_MAX_BYTES];
        (void)snprintf(path, sizeof path, "/api-keys/%s", id_of(json_array_get(keys, i)));
        struct answer answer = ask(job, "DELETE", path, job->admin, NULL);
        if (answer.status != 200 && answer.status != 204 && answer.status != 404)
            unexpected("delete a key", &answer);
        json_decref(answer.body);
    }
    json_decref(keys);
    if (count == 0)
        return 0;
    json_t *left = find_keys(job, former, &ours);
    if (json_array_size(left) > 0)
        finish(FAILED, NULL, "Resend said that it deleted a key, and still has it");
    json_decref(left);
    return count;
}

/* What the key may do, asked with a request that changes nothing: "full_access", "sending_access", or
 * NULL where it is refused. */
static const char *permission_of(const struct job *job, const char *key)
{
    struct answer answer = ask(job, "GET", "/domains", key, NULL);
    const char *permission = NULL;

    if (answer.status == 200)
        permission = "full_access";
    else if (answer.status == 401 && strcmp(word_of(&answer), "restricted_api_key") == 0)
        permission = "sending_access";
    else if (answer.status != 400 && answer.status != 401 && answer.status != 403)
        unexpected("use the key", &answer);
    json_decref(answer.body);
    return permission;
}

static const char *wanted_permission(const struct job *job)
{
    const char *wanted = text_of(job->config, "permission");
    bool itself = json_is_true(json_object_get(job->config, "rotates_itself"));

    return wanted ? wanted : itself ? "full_access" : "sending_access";
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void create(struct job *job)
{
    size_t ours, orphans = delete_keys(job, find_keys(job, false, &ours), false);
    json_t *wish = json_pack("{s:s, s:s, s:s*}", "name", job->name, "permission",
                             wanted_permission(job), "domain_id",
                             text_of(job->config, "domain_id"));
    struct answer answer = ask(job, "POST", "/api-keys", job->admin, wish);
    const char *token = text_of(answer.body, "token");

    if ((answer.status != 200 && answer.status != 201) || !token)
        unexpected("make a key", &answer);
    finish(DONE, json_pack("{s:s}", job->field, token), "the key '%s'%s", job->name,
           orphans ? "; one of that name, whose token was lost, was deleted" : "");
}

static void test(struct job *job)
{
    const char *from = text_of(job->config, "test_from"), *wanted = wanted_permission(job);

    if (!job->pending)
        finish(FAILED, NULL, "there is no new '%s' to test", job->field);
    const char *permission = permission_of(job, job->pending);
    if (!permission)
        finish(FAILED, NULL, "Resend refuses the new key");
    if (strcmp(permission, wanted) != 0)
        finish(FAILED, NULL, "the new key has %s, not %s", permission, wanted);
    if (from) {
        json_t *mail = json_pack("{s:s, s:[s], s:s, s:s}", "from", from, "to", SINK, "subject",
                                 "a test of a new key", "text", job->name);
        struct answer answer = ask(job, "POST", "/emails", job->pending, mail);
        if (answer.status != 200)
            unexpected("send a mail with the new key", &answer);
        json_decref(answer.body);
    }
    finish(DONE, NULL, "the new key works, with %s", permission);
}

static void retire(struct job *job)
{
    size_t ours;
    json_t *former = find_keys(job, true, &ours);

    /* Without the new key there, what looks like a former one may be what the application has. */
    if (ours != 1)
        finish(FAILED, NULL, "there are %zu keys '%s', not 1: nothing was deleted", ours,
               job->name);
    size_t deleted = delete_keys(job, former, true);
    if (job->current && (!job->pending || strcmp(job->current, job->pending) != 0) &&
        permission_of(job, job->current))
        finish(
            FAILED, NULL,
            "the former key still works: it has no name that agent gives; delete it, or give its "
            "id as config.former_key_id, and go on with --resume");
    finish(deleted ? DONE : DONE_BEFORE, NULL, "%zu former keys were deleted", deleted);
}

/* Behind `promote` too: what has taken the new key already is refused from here on. */
static void rollback(struct job *job)
{
    size_t ours;

    if (job->current && !permission_of(job, job->current))
        finish(FAILED, NULL, "the former key works no more: the new one was left");
    size_t deleted = delete_keys(job, find_keys(job, false, &ours), false);
    finish(deleted ? DONE : DONE_BEFORE, NULL, "%zu new keys were deleted", deleted);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(struct job *job);
    } steps[] = {{"create", create}, {"test", test}, {"retire", retire}, {"rollback", rollback}};
    struct job job = {0};

    /* No core file and no debugger: there are keys in memory. */
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        finish(FAILED, NULL, "libcurl could not be started");
    read_job(&job);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (strcmp(job.step, steps[i].name) != 0)
            continue;
        find_admin(&job);
        steps[i].run(&job);
    }
    finish(NO_SUCH_STEP, NULL, "Resend has no step '%s': the key works as soon as it is made",
           job.step);
}
