/* base/banned.h: calls that do not compile in this tree, and what to use in their place.
 *
 * Included by base/attr.h, behind the system headers that declare them. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca /* a macro of glibc: poisoning one draws a warning */
#pragma GCC poison strcpy strcat strncpy strncat stpcpy /* buf_add, str_copy: lengths travel */
#pragma GCC poison sprintf vsprintf gets                /* buf_addf, snprintf */
#pragma GCC poison strtok strtok_r                      /* str_next_field */
#pragma GCC poison atoi atol atoll atof                 /* str_to_int64: says what is wrong */
#pragma GCC poison system popen                         /* proc_run: argv arrays, no shell */
#pragma GCC poison asctime ctime gmtime localtime       /* clock_rfc3339 */
#pragma GCC poison alloca tmpnam tempnam mktemp         /* buf; file_replace */

#endif
