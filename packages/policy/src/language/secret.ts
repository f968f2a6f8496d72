import { byShape, invalid, transform, type Form } from '../form/form.ts';
import { map, oneOrList, optional, required, strict, type Field } from '../form/collection.ts';
import { boolean, freeText, oneOf } from '../form/scalar.ts';
import type { AkvImport, Secret, SecretExport, SecretImport, SecretKind } from '../session.ts';
import { entryOf, isNull, nounOf, type YamlNode } from '../yaml/node.ts';
import type { JsonSchema } from '../form/json-schema.ts';
import type { Place } from '../form/place.ts';
import { suggest } from '../form/suggestion.ts';
import { kinds, line, secretKinds } from './secret-kinds.ts';
import {
  combineReference,
  secretName,
  sessionName,
  sessionReferenceFields,
  sessionReferenceText,
} from './names.ts';

const namespaceExport = map({ namespace: required(sessionName, 'Every session below it.') }, 'an export');
const sessionExport = map(sessionReferenceFields, 'an export');
const exportMap: Form<SecretExport> = byShape(
  {
    scalar: transform(sessionReferenceText, (to): SecretExport => ({ kind: 'session', to })),
    map: {
      schema: { anyOf: [namespaceExport.schema, sessionExport.schema] },
      read(node, place) {
        if (entryOf(node, 'namespace')) {
          const read = namespaceExport.read(node, place);
          return read === invalid ? invalid : { kind: 'namespace', namespace: read.namespace };
        }
        const read = sessionExport.read(node, place);
        if (read === invalid) return invalid;
        const to = combineReference(read, node, place);
        return to === invalid ? invalid : { kind: 'session', to };
      },
    },
  },
  'an export (session or namespace)',
);

const akv: Form<AkvImport> = transform(
  map(
    {
      vault: required(line, 'Address of the vault.'),
      secret_name: required(line, 'Name there.'),
      token: required(secretName, 'The aad-token secret.'),
      decryption_key: optional(secretName, 'The binary secret that decrypts the value.'),
    },
    'import_akv',
  ),
  ({ vault, secret_name: name, token, decryption_key: decryptionKey }) => ({
    vault,
    secretName: name,
    token,
    decryptionKey,
  }),
);

const importForm = map(
  { ...sessionReferenceFields, secret: optional(secretName, 'The secret there; the same name if absent.') },
  'an import',
);

const common = {
  name: required(secretName, 'Name in $$SCONE::name$$.'),
  kind: optional(oneOf(secretKinds, { 'session-ca': 'x509-ca' }), 'What it is.'),
  export: optional(oneOrList(exportMap, { of: 'exports' }), 'Sessions and namespaces that may import it.'),
  export_public: optional(boolean(), 'Whether anybody may read the public value.'),
  import: strict(importForm, 'The session it comes from.'),
  import_akv: strict(akv, 'The Azure Key Vault it comes from.'),
  persistency: optional(freeText(), 'Printed by older tools.', '`persistency` has no effect'),
  ensconce: optional(map({}, 'ensconce (secret)'), 'What the session language itself lacks.'),
} as const;

/** Everything that some kind takes: the keys are checked against the kind by {@link readSecret}. */
const allFields = { ...common, ...Object.assign({}, ...Object.values(kinds)) } as Record<
  string,
  Field<unknown>
>;

/** The schema of one kind. What it requires is not required of an import. */
function kindSchema(kind: SecretKind): JsonSchema {
  const { required: needed, ...schema } = map(
    { ...common, ...kinds[kind] },
    `a secret of the kind ${kind}`,
  ).schema;
  return { ...schema, anyOf: [{ required: ['import', 'name'] }, { required: needed }] };
}

export const secret: Form<Secret> = {
  schema: {
    type: 'object',
    required: ['name'],
    properties: Object.fromEntries(
      Object.entries(allFields).map(([key, field]) => [key, { description: field.about }]),
    ),
    anyOf: [
      {
        properties: { kind: { type: 'null' } },
        anyOf: [{ required: ['import'] }, { required: ['import_akv'] }],
        allOf: [map(common, 'an imported secret').schema],
      },
      ...secretKinds.map((kind) => ({
        required: ['kind'],
        properties: { kind: { enum: kind === 'x509-ca' ? [kind, 'session-ca'] : [kind] } },
        allOf: [kindSchema(kind)],
      })),
    ],
  },
  read: readSecret,
};

function readSecret(node: YamlNode, place: Place): Secret | typeof invalid {
  if (node.type !== 'map') {
    place.error(node.offset, `a secret expected, ${nounOf(node)} found`);
    return invalid;
  }
  const imported = entryOf(node, 'import') !== undefined;
  const kindNode = entryOf(node, 'kind')?.value;
  if (
    !imported &&
    entryOf(node, 'import_akv') === undefined &&
    (kindNode === undefined || isNull(kindNode))
  ) {
    place.error(node.offset, 'the key `kind` (or an import) expected, none found');
  }
  const named =
    kindNode?.type === 'scalar' ? (kindNode.text === 'session-ca' ? 'x509-ca' : kindNode.text) : undefined;
  const kind = secretKinds.find((candidate) => candidate === named);
  const own: Readonly<Record<string, Field<unknown>>> = kind ? kinds[kind] : {};
  // A value that is imported is not also made here, so what its kind requires elsewhere is not required.
  const parameters = imported
    ? Object.fromEntries(Object.entries(own).map(([key, field]) => [key, { ...field, required: false }]))
    : own;
  for (const { key, keyOffset } of kind ? node.entries : []) {
    if (Object.hasOwn(common, key) || Object.hasOwn(own, key) || !Object.hasOwn(allFields, key)) continue;
    place
      .key(key)
      .error(keyOffset, `a parameter of the kind ${kind} expected, one of another kind found`, () =>
        suggest(key, Object.keys(own)),
      );
  }
  const known = {
    ...node,
    entries: node.entries.filter(
      ({ key }) => Object.hasOwn(common, key) || Object.hasOwn(own, key) || !Object.hasOwn(allFields, key),
    ),
  };
  const read = map({ ...common, ...parameters }, 'a secret').read(kind ? known : node, place);
  if (read === invalid) return invalid;
  const result = normalise(read, node, place);
  place.findings.keepOrigin(result, node, place);
  return result;
}

/** The parameters of all kinds; those that a kind does not have are absent. */
interface Parameters {
  readonly value?: Secret['value'];
  readonly size?: number;
  readonly key_type?: Secret['keyType'];
  readonly migrate?: boolean;
  readonly private_key?: string;
  readonly issuer?: string;
  readonly common_name?: string;
  readonly endpoint?: Secret['endpoint'];
  readonly dns?: readonly string[];
  readonly san?: readonly string[];
  readonly valid_for?: number;
  readonly tenant_id?: string;
  readonly client_id?: string;
  readonly application_secret?: string;
  readonly certificate_thumbprint?: string;
  readonly signer?: string;
  readonly alg?: string;
  readonly validity?: { readonly for: number };
  readonly payload?: ReadonlyMap<string, string>;
}

interface Common {
  readonly name: string;
  readonly kind?: SecretKind | undefined;
  readonly export?: readonly SecretExport[] | undefined;
  readonly export_public?: boolean | undefined;
  readonly import?: ImportParts | undefined;
  readonly import_akv?: AkvImport | undefined;
}
type ImportParts = Exclude<ReturnType<typeof importForm.read>, typeof invalid>;

function normalise(value: Common & Parameters, node: YamlNode, place: Place): Secret {
  const { kind } = value;
  if (value.import && value.import_akv) place.error(node.offset, 'import or import_akv expected, both found');
  if (value.import && value.value !== undefined)
    place.error(node.offset, 'import or value expected, both found');
  if (value.value !== undefined && value.size !== undefined) {
    place.warning(node.offset, 'value or size expected, both found: the size has no effect');
  }
  if (kind === 'aad-token') aadRules(value, node, place);
  const random =
    (kind === 'ascii' || kind === 'binary') &&
    value.value === undefined &&
    !value.import &&
    !value.import_akv;
  const generated = kind === 'private-key' && value.value === undefined && !value.import && !value.import_akv;
  return {
    name: value.name,
    kind,
    value: kind === 'binary' && typeof value.value === 'string' ? value.value.toLowerCase() : value.value,
    export: value.export ?? [],
    exportPublic: value.export_public ?? false,
    import: value.import ? importOf(value.import, value.name, node, place) : undefined,
    importAkv: value.import_akv,
    size: random ? (value.size ?? 20) : undefined,
    keyType: generated ? (value.key_type ?? 'P-256') : undefined,
    migrate: kind === 'private-key' ? (value.migrate ?? false) : undefined,
    privateKey: value.private_key,
    issuer: value.issuer,
    commonName: value.common_name,
    endpoint: value.endpoint,
    san: sanOf(value),
    validFor: value.valid_for ?? value.validity?.for,
    tenantId: value.tenant_id,
    clientId: value.client_id,
    applicationSecret: value.application_secret,
    certificateThumbprint: value.certificate_thumbprint,
    signer: value.signer,
    alg: value.alg,
    payload: value.payload ? Object.fromEntries(value.payload) : undefined,
  };
}

function sanOf(value: Parameters): readonly string[] | undefined {
  if (value.dns === undefined && value.san === undefined) return undefined;
  const names = [...(value.dns ?? []).map((name) => `dns:${name}`), ...(value.san ?? [])];
  return [...new Set(names.map((name) => name.replace(/^[A-Za-z]+/, (prefix) => prefix.toLowerCase())))];
}

function aadRules(value: Parameters, node: YamlNode, place: Place): void {
  const password = value.application_secret !== undefined;
  const certificate = value.private_key !== undefined || value.certificate_thumbprint !== undefined;
  if (
    password === certificate ||
    (value.private_key === undefined) !== (value.certificate_thumbprint === undefined)
  ) {
    place.error(
      node.offset,
      'application_secret, or private_key with certificate_thumbprint, expected, both or neither found',
    );
  }
}

function importOf(value: ImportParts, own: string, node: YamlNode, place: Place): SecretImport | undefined {
  const from = combineReference(value, node, place);
  return from === invalid ? undefined : { from, secret: value.secret ?? own };
}
