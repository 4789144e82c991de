/* base/annotate.h: findings as lines that GitHub Actions shows beside the code, and foreign text for
 * people with its lines kept.
 *
 * A line is `::error file=F,line=N,col=N,title=T::MESSAGE`. Whatever the message holds, it stays one
 * line and one command: what would end a property or begin another command is escaped. Source:
 * "Workflow commands for GitHub Actions", and escapeData and escapeProperty of its toolkit. */
#ifndef BASE_ANNOTATE_H
#define BASE_ANNOTATE_H

#include <stddef.h>

#include "base/buf.h"

enum {
    ANNOTATE_MESSAGE_BYTES = 16 * 1024, /* longer ones are cut, with "..." */
};

enum annotation_level { ANNOTATION_NOTICE, ANNOTATION_WARNING, ANNOTATION_ERROR };

struct annotation {
    enum annotation_level level;
    const char *file;      /* from the repository's root; NULL: not known */
    unsigned line, column; /* from 1; 0: not known */
    const char *title;     /* NULL: none */
    const char *message;   /* may have several lines */
};

void annotate_github(const struct annotation *annotation, struct buf *out);

/* Append TEXT with control bytes, invalid UTF-8 and bidirectional controls as \xHH; line feeds and tabs
 * stay, a carriage return before a line feed goes. From MAX_BYTES of TEXT on it is cut, with "...". */
void annotate_add_lines(struct buf *out, const char *text, size_t length, size_t max_bytes);

/* FILE as it is seen from FOLDER, where it lies below it (a part of FILE); else FILE. A leading "./"
 * goes. CI systems know files by their path from the repository's root. */
const char *annotate_relative(const char *file, const char *folder);

#endif
