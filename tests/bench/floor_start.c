/* floor_start.c: what a process costs that links jansson, libsodium and PCRE2 and does nothing: the
 * floor of `agent version` and `agent check --env-only`. run.py links it with --no-as-needed, so
 * that the loader has the same libraries to map and relocate although none is called. */
int main(void)
{
    return 0;
}
