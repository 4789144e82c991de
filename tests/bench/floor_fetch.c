/* floor_fetch.c: the leanest libcurl program that reads KV version 2 secrets over TLS and starts a
 * command with them: the floor of `agent run`.
 *
 *   floor_fetch NAME=mount/path#field... -- COMMAND [ARGUMENT...]
 *
 * VAULT_ADDR, VAULT_CACERT and VAULT_TOKEN say where; without a token it logs in with ROLE_ID and
 * SECRET_ID (an AppRole at its usual mount) and ends that token before the start. All reads are in flight together, over one
 * connection with HTTP/2. It knows its mounts' version, checks no more than it must to be right, and
 * wipes nothing: that is the point of it. */
#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REQUESTS_MAX = 64, URL_MAX_BYTES = 512, BODY_MAX_BYTES = 64 * 1024, POLL_MS = 1000 };

struct request {
    CURL *easy;
    const char *name, *field; /* within the argument, which is cut in place */
    char url[URL_MAX_BYTES];
    char body[BODY_MAX_BYTES];
    size_t length;
};

static struct request requests[REQUESTS_MAX];
static size_t request_count;

static size_t on_body(char *data, size_t size, size_t count, void *into)
{
    struct request *request = into;
    size_t length = size * count;

    if (length > sizeof(request->body) - request->length)
        return 0; /* curl calls that a failed write */
    memcpy(request->body + request->length, data, length);
    request->length += length;
    return length;
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "floor_fetch: %s: %s\n", what, why);
    exit(1);
}

/* NAME=mount/path#field into name, field and the URL. */
static void parse(char *argument, const char *address, struct request *request)
{
    char *mount = strchr(argument, '=');
    char *path = mount != NULL ? strchr(mount, '/') : NULL;
    char *field = path != NULL ? strchr(path, '#') : NULL;

    if (field == NULL)
        fail(argument, "is not NAME=mount/path#field");
    *mount++ = *path++ = *field++ = '\0';
    request->name = argument;
    request->field = field;
    int length = snprintf(request->url, sizeof(request->url), "%s/v1/%s/data/%s", address, mount,
                          path);
    if (length < 0 || (size_t)length >= sizeof(request->url))
        fail(argument, "is too long");
}

static void add(CURLM *multi, struct curl_slist *headers, struct request *request)
{
    request->easy = curl_easy_init();
    if (request->easy == NULL)
        fail(request->name, "no memory for the request");
    curl_easy_setopt(request->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(request->easy, CURLOPT_CAINFO, getenv("VAULT_CACERT"));
    curl_easy_setopt(request->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(request->easy, CURLOPT_PIPEWAIT, 1L); /* wait for the one connection */
    curl_easy_setopt(request->easy, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(request->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(request->easy, CURLOPT_WRITEDATA, request);
    if (curl_multi_add_handle(multi, request->easy) != CURLM_OK)
        fail(request->name, "curl_multi_add_handle");
}

static void perform(CURLM *multi)
{
    int running = 1, left;

    while (running > 0) {
        CURLMcode code = curl_multi_perform(multi, &running);
        if (code == CURLM_OK && running > 0)
            code = curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
        if (code != CURLM_OK)
            fail("perform", curl_multi_strerror(code));
    }
    for (CURLMsg *done; (done = curl_multi_info_read(multi, &left)) != NULL;)
        if (done->data.result != CURLE_OK)
            fail("request", curl_easy_strerror(done->data.result));
}

static void export(const struct request *request)
{
    json_error_t error;
    json_t *answer = json_loadb(request->body, request->length, 0, &error);

    if (answer == NULL)
        fail(request->name, error.text);
    json_t *data = json_object_get(json_object_get(answer, "data"), "data");
    const char *value = json_string_value(json_object_get(data, request->field));
    if (value == NULL)
        fail(request->name, "the answer has no such field");
    if (setenv(request->name, value, 1) != 0)
        fail(request->name, "setenv");
    json_decref(answer);
}

/* POST TEXT to PATH; the answer is in *request. */
static void post(CURLM *multi, struct curl_slist *headers, const char *address, const char *path,
                 const char *text, struct request *request)
{
    request->name = path;
    snprintf(request->url, sizeof(request->url), "%s/v1/%s", address, path);
    add(multi, headers, request);
    curl_easy_setopt(request->easy, CURLOPT_COPYPOSTFIELDS, text);
    perform(multi);
}

/* The token of an AppRole's log-in, as a header. */
static void log_in(CURLM *multi, const char *address, char *header, size_t size)
{
    static struct request login;
    const char *role_id = getenv("ROLE_ID"), *secret_id = getenv("SECRET_ID");
    char body[URL_MAX_BYTES];
    json_error_t error;

    if (role_id == NULL || secret_id == NULL)
        fail("environment", "VAULT_TOKEN, or ROLE_ID and SECRET_ID, are needed");
    snprintf(body, sizeof(body), "{\"role_id\":\"%s\",\"secret_id\":\"%s\"}", role_id, secret_id);
    post(multi, NULL, address, "auth/approle/login", body, &login);
    json_t *answer = json_loadb(login.body, login.length, 0, &error);
    const char *token = json_string_value(
        json_object_get(json_object_get(answer, "auth"), "client_token"));
    if (token == NULL)
        fail("log-in", "the answer has no token");
    snprintf(header, size, "X-Vault-Token: %s", token);
    json_decref(answer);
}

int main(int argc, char **argv)
{
    const char *address = getenv("VAULT_ADDR"), *token = getenv("VAULT_TOKEN");
    static struct request farewell;
    char header[URL_MAX_BYTES];
    int at = 1;

    if (address == NULL)
        fail("environment", "VAULT_ADDR is needed");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        fail("curl_global_init", "failed");
    CURLM *multi = curl_multi_init();
    if (token != NULL)
        snprintf(header, sizeof(header), "X-Vault-Token: %s", token);
    else
        log_in(multi, address, header, sizeof(header));
    struct curl_slist *headers = curl_slist_append(NULL, header);
    for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
        if (request_count == REQUESTS_MAX)
            fail(argv[at], "is one request too many");
        parse(argv[at], address, &requests[request_count]);
        add(multi, headers, &requests[request_count++]);
    }
    if (at + 1 >= argc)
        fail("usage", "floor_fetch NAME=mount/path#field... -- COMMAND [ARGUMENT...]");
    perform(multi);
    for (size_t i = 0; i < request_count; i++)
        export(&requests[i]);
    if (token == NULL)
        post(multi, headers, address, "auth/token/revoke-self", "", &farewell);
    execvp(argv[at + 1], argv + at + 1); /* frees nothing before: exec does */
    perror("floor_fetch: exec");
    return 127;
}
