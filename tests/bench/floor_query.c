/* floor_query.c: send a file of SQL to PostgreSQL as one query, which the server runs as one
 * transaction: the floor of `agent bootstrap`.
 *
 *   floor_query FILE [again]      DATABASE_URL says where
 *
 * No lock, no look at what is there, no stamp, no second look. With `again` it logs in a second time
 * and asks nothing: what a second look costs before it looks. */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    long size;
    char *text;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        perror(path);
        exit(1);
    }
    rewind(file);
    text = malloc((size_t)size + 1);
    if (text == NULL || fread(text, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        exit(1);
    }
    text[size] = '\0';
    fclose(file);
    return text;
}

static PGconn *log_in(const char *url)
{
    PGconn *connection = PQconnectdb(url);

    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "floor_query: %s", PQerrorMessage(connection));
        exit(1);
    }
    return connection;
}

int main(int argc, char **argv)
{
    const char *url = getenv("DATABASE_URL");
    bool again = argc == 3 && strcmp(argv[2], "again") == 0;

    if (argc != (again ? 3 : 2) || url == NULL) {
        fprintf(stderr, "usage: DATABASE_URL=... floor_query FILE [again]\n");
        return 2;
    }
    char *sql = read_file(argv[1]);
    PGconn *connection = log_in(url);
    PGresult *result = PQexec(connection, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "floor_query: %s", PQerrorMessage(connection));
        return 1;
    }
    PQclear(result);
    if (again)
        PQfinish(log_in(url));
    PQfinish(connection);
    free(sql);
    return 0;
}
