import { toJsonSchema, type JsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { everywhere, publicForms, type PublicCode } from './codes.ts';
import { ownErrors, type Access, type Route } from './route.ts';
import { routes } from './routes.ts';
import * as schemas from './schema.ts';

/** The schemas that have a name in the document. */
const named: Readonly<Record<string, v.GenericSchema>> = {
  Error: schemas.errorBody,
  SessionWritten: schemas.sessionWritten,
  SessionRead: schemas.sessionRead,
  SessionDeleted: schemas.sessionDeleted,
  SessionList: schemas.sessionList,
  History: schemas.history,
  Version: schemas.versionAnswer,
  AttestRequest: schemas.attestRequest,
  Evidence: schemas.attestAnswer,
  Value: schemas.valueAnswer,
  Values: schemas.valuesAnswer,
};

type Document = schemas.OpenApiAnswer & Record<string, unknown>;

/** The OpenAPI 3.1 document of the client API, made of the table of routes. */
export function openApi(): Document {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [id, row] of Object.entries<Route>(routes)) {
    (paths[row.path] ??= {})[row.method.toLowerCase()] = operation(id, row);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Client API of the Ensconce CAS',
      version: '1',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'HTTPS with TLS 1.3 on port 8081. A client certificate, any self-signed one, says who asks. ' +
        'CAS is known by the key that `POST /v1/attest` proves, not by a name in its certificate. ' +
        'Slashes of session names may stand in a path as they are.',
    },
    paths,
    components: {
      responses: errors(everywhere),
      schemas: Object.fromEntries(
        Object.entries(named).map(([name, schema]) => [name, jsonSchema(schema, name)]),
      ),
      securitySchemes: { certificate: { type: 'mutualTLS' } },
    },
  };
}

const security = {
  anybody: [{}],
  policy: [{ certificate: [] }, {}],
  identified: [{ certificate: [] }],
} as const satisfies Record<Access, unknown>;

function operation(id: string, row: Route): Record<string, unknown> {
  return {
    operationId: id,
    summary: row.summary,
    description: [row.description, `Who may: ${row.who}.`].filter((line) => line !== undefined).join('\n\n'),
    ...(row.deprecated === true ? { deprecated: true } : {}),
    security: security[row.access],
    parameters: [
      ...parameters('path', row.parameters),
      ...parameters('query', row.query),
      ...parameters('header', row.headers),
    ],
    ...(row.body === undefined ? {} : { requestBody: requestBody(row.body) }),
    responses: { ...answers(row), ...errorsOf(row) },
  };
}

function parameters(place: 'path' | 'query' | 'header', entries: v.ObjectEntries | undefined): unknown[] {
  return Object.entries(entries ?? {}).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || schema.type !== 'optional',
    schema: jsonSchema(schema as v.GenericSchema),
  }));
}

function requestBody(body: NonNullable<Route['body']>): unknown {
  const schema = jsonSchema(body.schema);
  return {
    required: body.optional !== true,
    description: `At most ${body.limit} bytes.`,
    content: Object.fromEntries(body.types.map((type) => [type, { schema }])),
  };
}

function answers(row: Route): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row.answers).map(([status, { meaning, schema, etag }]) => [
      status,
      {
        description: meaning,
        ...(etag === true
          ? { headers: { ETag: { description: 'hash of the version, quoted', schema: { type: 'string' } } } }
          : {}),
        content: { 'application/json': { schema: jsonSchema(schema) } },
      },
    ]),
  );
}

/** Where a status has no codes but those that any route may answer, the answer is the one of all routes. */
function errorsOf(row: Route): Record<string, unknown> {
  const own = new Set<number>(ownErrors(row).map((code) => publicForms[code].status));
  return Object.fromEntries(
    Object.entries(errors([...ownErrors(row), ...everywhere])).map(([status, answer]) => [
      status,
      own.has(Number(status)) ? answer : { $ref: `#/components/responses/${status}` },
    ]),
  );
}

/** Errors by status; each says which codes it may have. */
function errors(codes: readonly PublicCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(new Set(codes), (code) => publicForms[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, members]) => [
      String(status),
      {
        description: members.map((code) => `\`${code}\`: ${publicForms[code].meaning}`).join('\n\n'),
        ...(status === 429
          ? { headers: { 'Retry-After': { description: 'seconds', schema: { type: 'integer' } } } }
          : {}),
        content: {
          'application/json': {
            schema: {
              allOf: [{ $ref: '#/components/schemas/Error' }],
              properties: { code: { enum: members } },
            },
          },
        },
      },
    ]),
  );
}

/** A schema in JSON Schema 2020-12; named ones become references, except `itself`. */
function jsonSchema(schema: v.GenericSchema, itself?: string): JsonSchema {
  const definitions = Object.fromEntries(Object.entries(named).filter(([name]) => name !== itself));
  const reference = Object.entries(definitions).find(([, one]) => one === schema);
  if (reference !== undefined) return { $ref: `#/components/schemas/${reference[0]}` };
  const {
    $schema: _,
    $defs: __,
    ...rest
  } = toJsonSchema(schema, {
    target: 'draft-2020-12',
    typeMode: 'input',
    definitions,
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
  });
  return rest;
}
