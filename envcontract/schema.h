/* envcontract/schema.h: what the files that write the JSON Schema share.
 *
 *   schema.c         the document: every section that can be reached, each as a definition
 *   schema_kinds.c   a key's kind in JSON Schema's words
 *   schema_demands.c what one key asks of another
 *   schema_text.c    a sentence for each key, which editors show
 *
 * Sections, keys, words and types come from the tables that a contract is checked against, so a new
 * row is in the schema by itself. */
#ifndef ENVCONTRACT_SCHEMA_H
#define ENVCONTRACT_SCHEMA_H

#include "base/json.h"
#include "envcontract/keys.h"

/* Put MEMBERS into the object that is open. They are JSON, with ' for each ". */
void schema_add_members(struct json *json, const char *members);

/* Put the keywords for values of KEY into the object that is open. NULLABLE: null is allowed too. */
void schema_add_kind(struct json *json, const struct key *key, bool nullable);

/* The definitions that kinds refer to, as members of the open "$defs". */
void schema_add_kind_definitions(struct json *json);

/* What holds for values of KEY beyond their kind, into its open object. */
void schema_add_key_demands(struct json *json, const struct section *section,
                            const struct key *key);

/* What SECTION's keys ask of one another, into its open object. */
void schema_add_demands(struct json *json, const struct section *section);

/* Definitions that demands refer to, as members of the open "$defs". */
void schema_add_demand_definitions(struct json *json);

/* What KEY of SECTION is for, a sentence; NULL: nothing is said. */
const char *schema_text(const struct section *section, const struct key *key);

/* The section whose keys SECTION has: itself, or without "_profile" behind it. */
bool schema_is_section(const struct section *section, const char *name);

/* Whether KEY can stand in SECTION and is built. */
bool schema_has_key(const struct section *section, const struct key *key);

#endif
