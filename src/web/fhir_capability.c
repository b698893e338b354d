/* The CapabilityStatement, from the same tables that the search reads. */
#include "web/fhir_priv.h"

#include <stdio.h>

static json_t *resource(fhir *f, fhir_kind kind)
{
    json_t *parameters = json_array();
    for (const fhir_parameter *p = fhir_parameters(kind); p->name != NULL; p++) {
        fhir_add(f, parameters,
                 json_pack("{s:s, s:s, s:s}", "name", p->name, "type", p->type, "documentation", p->text));
    }
    json_t *to = json_pack("{s:s, s:[{s:s}, {s:s}], s:s, s:b, s:o}", "type", fhir_kind_name(kind),
                           "interaction", "code", "read", "code", "search-type", "versioning", "versioned",
                           "readHistory", 0, "searchParam", parameters);
    if (kind == FHIR_PATIENT) {
        fhir_put(f, to, "operation",
                 json_pack("[{s:s, s:s, s:s}]", "name", "everything", "definition",
                           "http://hl7.org/fhir/OperationDefinition/Patient-everything", "documentation",
                           "On one patient, in pages (_count); all that this server has"));
    }
    return to;
}

json_t *fhir_capability(fhir *f)
{
    json_t *resources = json_array();
    for (int kind = 0; kind < FHIR_KINDS; kind++) {
        fhir_add(f, resources, resource(f, (fhir_kind)kind));
    }
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s}, s:s, s:[s, s], s:[{s:s, s:{s:s}, s:o}]}",
        "resourceType", "CapabilityStatement", "status", "active", "date", "2026-11-30", "kind", "instance",
        "software", "name", "Rehascope", "version", REHA_VERSION, "implementation", "description",
        "Results of image analysis and rehabilitation of this clinic, for reading", "url", f->base,
        "fhirVersion", "4.0.1", "format", "json", FHIR_TYPE, "rest", "mode", "server", "security",
        "description",
        "An access token (Authorization: Bearer), which an administrator of the clinic makes; or the session of a "
        "person. A token of the role researcher sees pseudonyms only.",
        "resource", resources);
}
