import { Document, Scalar, visit } from 'yaml';
import type { Json } from '@ensconce/base/json';
import type {
  AccessEntry,
  AccessRule,
  AttestationVariant,
  Image,
  Secret,
  SecretExport,
  Service,
  Session,
  SessionReference,
  Volume,
} from './session.ts';

export interface FormatOptions {
  /**
   * `redacted`: values that the session keeps secret stand as `!redacted ""`, which the parser refuses, so that such a
   * text is never taken for the session itself.
   */
  readonly secrets: 'shown' | 'redacted';
}

/** Stands for a value that is not shown. */
const redacted = Symbol('redacted');
type Plain = Json | typeof redacted | undefined | readonly Plain[] | { readonly [key: string]: Plain };

/** A session as text of its own language. With secrets shown, reading it again gives the same session. */
export function formatSession(session: Session, options: FormatOptions): string {
  const hide = (value: Json | undefined): Plain =>
    value === undefined || options.secrets === 'shown' || isReference(value) ? value : redacted;
  const { security } = session;
  const { attestation } = security;
  const plain: Plain = {
    name: session.name,
    version: session.version,
    predecessor: session.predecessor,
    namespace_hash: session.namespaceHash,
    salt: session.salt,
    creator:
      session.creator &&
      (session.creator.kind === 'signer' ? { signer: session.creator.pem } : session.creator.pem),
    services: some(session.services.map((service) => formatService(service, hide))),
    images: some(session.images.map((image) => formatImage(image, hide))),
    volumes: some(session.volumes.map((volume) => formatVolume(volume, hide))),
    secrets: some(session.secrets.map((secret) => formatSecret(secret, hide))),
    access_policy: {
      read: formatRule(session.accessPolicy.read),
      update: formatRule(session.accessPolicy.update),
      create_sessions: formatRule(session.accessPolicy.createSessions),
      list_sessions: formatRule(session.accessPolicy.listSessions),
    },
    security: security.reference ?? {
      attestation: attestation.reference ?? {
        mode: attestation.mode,
        tolerate: some(attestation.tolerate),
        ignore_advisories: attestation.ignoreAdvisories === '*' ? '*' : some(attestation.ignoreAdvisories),
        must_be_sgx_local: attestation.mustBeSgxLocal,
        trusted_scone_qe_pubkeys: attestation.trustedSconeQePubkeys,
        url: attestation.url,
        certificates: attestation.certificates,
        min_rsa_signing_key_size: attestation.minRsaSigningKeySize,
        one_time_password_shared_secret: hide(attestation.oneTimePasswordSharedSecret),
      },
      singleton_enclaves: security.singletonEnclaves,
      service_access_token: hide(security.serviceAccessToken),
    },
    secret_config: session.secretConfig && { store_in: { ...session.secretConfig } },
    ensconce: formatExtension(session),
  };
  return stringify(plain);
}

function formatExtension(session: Session): Plain {
  const { ignoreAdvisoriesOf, delete: deletion } = session;
  const extension: Readonly<Record<string, Plain>> = {
    accept_simulation: session.acceptSimulation ? true : undefined,
    minimum_tcb_date: session.minimumTcbDate?.slice(0, 10),
    advisory_grace_days: session.advisoryGraceDays,
    minimum_evaluation_number: session.minimumEvaluationNumber,
    ignore_advisories: ignoreAdvisoriesOf && { ...ignoreAdvisoriesOf },
    delete: deletion && formatRule(deletion),
  };
  return Object.values(extension).some((value) => value !== undefined) ? extension : undefined;
}

type Hide = (value: Json | undefined) => Plain;

function formatService(service: Service, hide: Hide): Plain {
  const environment: Record<string, Plain> = { ...service.environment };
  for (const name of service.hostEnvironment) environment[`\\@\\@${name}`] = '';
  const { user, hostFiles, capabilities, chips, tdx, snp } = service;
  const extended =
    hostFiles.length > 0 || [user, capabilities, chips, tdx, snp].some((value) => value !== undefined);
  return {
    name: service.name,
    image_name: service.imageName,
    command: some(service.command),
    environment: Object.keys(environment).length > 0 ? environment : undefined,
    pwd: service.pwd,
    fspf_path: service.fspf?.path,
    fspf_key: hide(service.fspf?.key),
    fspf_tag: service.fspf?.tag,
    fspf_update_policy: service.fspf?.updatePolicy,
    attestation: some(service.attestation.map((variant) => formatVariant(variant))),
    platforms: service.platforms,
    one_time_password_shared_secret: hide(service.oneTimePasswordSharedSecret),
    ensconce: extended
      ? {
          user,
          host_files: some(hostFiles),
          capabilities,
          platforms: chips,
          tdx: tdx?.map((guest) => ({ ...guest })),
          snp: snp?.map(({ minimumTcb, minimumGuestSvn, idKeyDigest, authorKeyDigest, ...guest }) => ({
            ...guest,
            minimum_tcb: minimumTcb && { ...minimumTcb },
            minimum_guest_svn: minimumGuestSvn,
            id_key_digest: idKeyDigest,
            author_key_digest: authorKeyDigest,
          })),
        }
      : undefined,
  };
}

function formatVariant(variant: AttestationVariant): Plain {
  const [fragment] = variant.fragments ?? [];
  if (fragment !== undefined && variant.mrenclave === undefined) return fragment;
  const { signer } = variant;
  return {
    mrenclave: variant.mrenclave,
    signer: signer
      ? {
          mrsigner: signer.mrsigner,
          isvprodid: signer.isvprodid,
          isvsvn_min: signer.isvsvnMin,
          isvsvn_max: signer.isvsvnMax,
        }
      : fragment,
  };
}

function formatImage(image: Image, hide: Hide): Plain {
  return {
    name: image.name,
    volumes: some(
      image.volumes.map(({ name, path, updatePolicy, durability }) => ({
        name,
        path,
        update_policy: updatePolicy,
        ensconce: durability === undefined ? undefined : { durability },
      })),
    ),
    injection_files: some(
      image.injectionFiles.map(({ path, content, mode }) => ({ path, content, permission: octal(mode) })),
    ),
    provide_secrets: image.provideSecrets,
    mrenclaves: image.mrenclaves,
    ensconce:
      image.layers.length > 0
        ? { layers: image.layers.map(({ root, key }) => ({ root, key: hide(key) })) }
        : undefined,
  };
}

function formatVolume(volume: Volume, hide: Hide): Plain {
  return {
    name: volume.name,
    fspf_key: hide(volume.fspfKey),
    fspf_tag: volume.fspfTag,
    ensconce: volume.tag === undefined ? undefined : { tag: volume.tag },
    files: volume.import ? undefined : volume.files,
    export: some(
      volume.export.map(({ to, updatePolicy, volumeAlias }) => ({
        to: formatReference(to),
        update_policy: updatePolicy,
        volume_alias: volumeAlias,
      })),
    ),
    import: volume.import && { ...formatReference(volume.import.from), volume: volume.import.volume },
  };
}

function formatSecret(secret: Secret, hide: Hide): Plain {
  const { kind } = secret;
  return {
    name: secret.name,
    kind,
    // A fragment is part of the policy.
    value: kind === 'config-fragment' ? secret.value : hide(secret.value),
    size: secret.size,
    key_type: secret.keyType,
    migrate: secret.migrate,
    private_key: secret.privateKey,
    issuer: secret.issuer,
    common_name: secret.commonName,
    endpoint: secret.endpoint,
    san: secret.san,
    valid_for: kind === 'jwt' || secret.validFor === undefined ? undefined : `${secret.validFor}s`,
    tenant_id: secret.tenantId,
    client_id: secret.clientId,
    application_secret: hide(secret.applicationSecret),
    certificate_thumbprint: secret.certificateThumbprint,
    signer: secret.signer,
    alg: secret.alg,
    validity: kind === 'jwt' && secret.validFor !== undefined ? { for: `${secret.validFor}s` } : undefined,
    payload: secret.payload,
    export: some(secret.export.map((target) => formatExport(target))),
    export_public: secret.exportPublic ? true : undefined,
    import: secret.import && { ...formatReference(secret.import.from), secret: secret.import.secret },
    import_akv: secret.importAkv && {
      vault: secret.importAkv.vault,
      secret_name: secret.importAkv.secretName,
      token: secret.importAkv.token,
      decryption_key: secret.importAkv.decryptionKey,
    },
  };
}

function formatExport(target: SecretExport): Plain {
  return target.kind === 'namespace' ? { namespace: target.namespace } : formatReference(target.to);
}

function formatReference(reference: SessionReference): { readonly [key: string]: Plain } {
  return {
    session: reference.session,
    session_hash: reference.sessionHash,
    cas_url: reference.casUrl,
    cas_key: reference.casKey,
    cas_software_key: reference.casSoftwareKey,
  };
}

function formatRule(rule: AccessRule): Plain {
  return rule.map((entry) => formatEntry(entry));
}

function formatEntry(entry: AccessEntry): Plain {
  switch (entry.kind) {
    case 'key':
      return entry.pem ?? entry.keyHash;
    case 'signer':
      return { signer: entry.pem };
    case 'reference':
      return entry.reference;
    case 'signer-reference':
      return { signer: entry.reference };
    case 'require':
      return {
        [entry.atLeast === 'all' ? 'require-all' : `require-at-least-${entry.atLeast}`]: formatRule(entry.of),
      };
    default:
      return entry.kind.toUpperCase();
  }
}

function isReference(value: Json): boolean {
  return typeof value === 'string' && /^\$\$SCONE::[^$]+\$\$$/.test(value);
}

function octal(mode: number): string {
  return `0o${mode.toString(8)}`;
}

/** No key rather than an empty list. */
function some<T extends Plain>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}

function stringify(plain: Plain): string {
  const document = new Document(
    plain,
    (_key, value: unknown) => (value === redacted ? '\u0000redacted' : value),
    {
      schema: 'core',
      keepUndefined: false,
      aliasDuplicateObjects: false,
    },
  );
  visit(document, {
    Scalar(key, node) {
      if (node.value === '\u0000redacted') {
        node.value = '';
        node.tag = '!redacted';
        node.type = Scalar.QUOTE_DOUBLE;
      } else if (key === 'value' && typeof node.value === 'string' && /^0o[0-7]+$/.test(node.value)) {
        node.type = Scalar.PLAIN;
      }
    },
    Map(_key, node) {
      const kind = node.get('storeIn');
      if (typeof kind !== 'string') return;
      node.delete('storeIn');
      node.tag = `!${kind}`;
    },
  });
  return document.toString({ lineWidth: 0 });
}
