/* floor_check.c: read a contract with jansson and match each variable's value against its pattern
 * with PCRE2: the floor of `agent check --env-only`.
 *
 *   floor_check CONTRACT
 *
 * It believes the file: no positions, no unknown or duplicate keys, no other rule than `pattern`. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether the whole of VALUE matches; -1 when the pattern can't be used. */
static int matches(const char *pattern, const char *value)
{
    int number;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_ANCHORED | PCRE2_ENDANCHORED, &number, &offset, NULL);
    pcre2_match_data *data = code != NULL ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;

    if (data == NULL)
        return -1;
    int rc = pcre2_match(code, (PCRE2_SPTR)value, strlen(value), 0, 0, data, NULL);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return rc >= 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    json_error_t error;
    json_t *contract = argc == 2 ? json_load_file(argv[1], 0, &error) : NULL;
    const char *name;
    json_t *variable;
    int problems = 0;

    if (contract == NULL) {
        fprintf(stderr, "floor_check: %s\n",
                argc == 2 ? error.text : "usage: floor_check CONTRACT");
        return 2;
    }
    json_object_foreach(json_object_get(contract, "vars"), name, variable)
    {
        const char *pattern = json_string_value(json_object_get(variable, "pattern"));
        const char *value = getenv(name);
        if (value == NULL || (pattern != NULL && matches(pattern, value) != 1)) {
            fprintf(stderr, "floor_check: %s\n", name);
            problems++;
        }
    }
    json_decref(contract);
    return problems > 0 ? 1 : 0;
}
