// Checks a description of an interface, and whether exchanges are as it says. It reads { description, exchanges } from its standard input,
// and prints what is wrong as a list. The description is OpenAPI 3.1 or Swagger 2.0. An exchange is
// { method, path, request, status, type, answer }, of which `path` is as the description has it.
import { text } from 'node:stream/consumers';
import SwaggerParser from '@apidevtools/swagger-parser';
import Ajv2020 from 'ajv/dist/2020.js';
import AjvDraft04 from 'ajv-draft-04';

const { description, exchanges } = JSON.parse(await text(process.stdin));
const wrong = [];
const isSwagger = description.swagger !== undefined;

try {
  // It changes what it is given.
  await SwaggerParser.validate(structuredClone(description));
} catch (error) {
  wrong.push(error.message);
}

const Ajv = isSwagger ? AjvDraft04 : Ajv2020;
const ajv = new (Ajv.default ?? Ajv)({ strict: false, allErrors: true, validateFormats: false });
for (const [place, schema] of schemas(description, '#')) {
  // Swagger has this type beside those of JSON Schema.
  if (schema.type !== 'file' && !ajv.validateSchema(schema)) wrong.push(`${place}: ${ajv.errorsText()}`);
}
ajv.addSchema(closed(description), 'description', undefined, false);

// All schemas, with their places: those that have names, and those that stand where they are used.
function* schemas(part, place) {
  for (const [name, value] of Object.entries(part)) {
    if (value === null || typeof value !== 'object') continue;
    const at = `${place}/${name}`;
    if (name === 'schema' || place === '#/definitions' || place === '#/components/schemas') yield [at, value];
    else yield* schemas(value, at);
  }
}

// The same, but objects have the members that are named and no others: what is sent has to be described.
function closed(part) {
  if (Array.isArray(part)) return part.map(closed);
  if (part === null || typeof part !== 'object') return part;
  const copy = Object.fromEntries(Object.entries(part).map(([name, value]) => [name, closed(value)]));
  if (part.type === 'object' && part.properties) copy.additionalProperties ??= false;
  return copy;
}

const escaped = (name) => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));
const at = (pointer) => pointer.slice(1).reduce((part, name) => part?.[name], description);

// What is at a place in the description, or at the place that it refers to.
function resolve(pointer) {
  const reference = at(pointer)?.$ref;
  return reference ? ['#', ...reference.slice(2).split('/')] : pointer;
}

function compare(told, pointer, value) {
  const valid = ajv.compile({ $ref: `description#/${pointer.slice(1).map(escaped).join('/')}` });
  if (!valid(value)) wrong.push(`${told}: ${ajv.errorsText(valid.errors)} in ${JSON.stringify(value)}`);
}

const operations = Object.values(description.paths).flatMap((methods) => Object.values(methods)).map((it) => it.operationId).filter(Boolean);
if (new Set(operations).size < operations.length) wrong.push('two operations have one name');
for (const [path, methods] of Object.entries(description.paths)) {
  const named = [...path.matchAll(/\{(.*?)\}/g)].map((match) => match[1]).sort().join();
  for (const [method, operation] of Object.entries(methods).filter(([name]) => name !== 'parameters')) {
    const all = [...(methods.parameters ?? []), ...(operation.parameters ?? [])];
    const parameters = all.map((it) => (it.$ref ? at(['#', ...it.$ref.slice(2).split('/')]) : it));
    const described = parameters.filter((it) => it.in === 'path').map((it) => it.name).sort().join();
    if (named !== described) wrong.push(`${method} ${path} has the parameters ${described}`);
  }
}

for (const { method, path, request, status, type, answer } of exchanges) {
  const told = `${method} ${path} ${status}`;
  const place = ['#', 'paths', path, method.toLowerCase()];
  const operation = at(place);
  if (!operation) {
    if (status !== 405) wrong.push(`${told}: not described`);
    continue;
  }
  if (!(status in operation.responses)) {
    wrong.push(`${told}: the status is not described`);
    continue;
  }
  const response = resolve([...place, 'responses', String(status)]);
  if (isSwagger) {
    const body = operation.parameters?.findIndex((parameter) => parameter.in === 'body') ?? -1;
    if (request !== undefined && status < 300) compare(`${told}, request`, [...place, 'parameters', String(body), 'schema'], request);
    if (answer !== undefined) compare(told, [...response, 'schema'], answer);
    continue;
  }
  if (request !== undefined && status < 300) {
    compare(`${told}, request`, [...place, 'requestBody', 'content', 'application/json', 'schema'], request);
  }
  const content = at(response)?.content ?? {};
  const known = [type, '*/*'].find((candidate) => candidate in content);
  if (type ? !known : Object.keys(content).length > 0) wrong.push(`${told}: the type ${type} is not described`);
  if (known && answer !== undefined) compare(told, [...response, 'content', known, 'schema'], answer);
}
console.log(JSON.stringify(wrong));
