import { describeEntry } from './access.ts';
import { secretUses } from './service-secrets.ts';
import { protectionOf } from './volumes.ts';
import {
  findService,
  imageOf,
  type AttestationVariant,
  type Secret,
  type Service,
  type Session,
} from './session.ts';

/** What one service gets, from where, and who may be it; no secret value is in it. */
export interface Explanation {
  /** `session/service`. */
  readonly configId: string;
  /** Who may be this service. */
  readonly trust: readonly string[];
  /** What starting it takes besides. */
  readonly start: readonly string[];
  /** As written, with references. */
  readonly command: readonly string[];
  readonly pwd: string;
  readonly user: string;
  readonly environment: readonly { readonly name: string; readonly from: string }[];
  readonly files: readonly { readonly path: string; readonly from: string }[];
  readonly secrets: readonly {
    readonly name: string;
    readonly from: string;
    readonly uses: readonly string[];
  }[];
  /** What the host, which is not trusted, may choose. */
  readonly hostChooses: readonly string[];
  /** Who may change any of this. */
  readonly changedBy: string;
}

/** Throws `POLICY_UNKNOWN_SERVICE`. */
export function explainService(session: Session, serviceName: string): Explanation {
  const service = findService(session, serviceName);
  const image = imageOf(session, service);
  const uses = secretUses(session, service);
  const names = [...new Set(uses.map(({ secret }) => secret.name))];
  return {
    configId: `${session.name}/${service.name}`,
    trust: describeTrust(session, service, image?.mrenclaves),
    start: describeStart(session, service),
    command: service.command,
    pwd: service.pwd,
    user: service.user === undefined || service.user === '' ? 'root' : service.user,
    environment: [
      ...Object.keys(service.environment).map((name) => ({ name, from: origin(`variable ${name}`, uses) })),
      ...service.hostEnvironment.map((name) => ({ name, from: 'the host' })),
    ],
    files: [
      ...(image?.layers ?? []).map(({ root }, index) => ({
        path: '/',
        from: `sealed layer ${index} (${root.slice(0, 16)}…)`,
      })),
      ...(image?.volumes ?? []).map((volume) => ({
        path: volume.path,
        from: `volume ${volume.name} (${protectionOf(volume)})`,
      })),
      ...(image?.injectionFiles ?? []).map(({ path, content }) => ({
        path,
        from: content === undefined ? template(image?.provideSecrets) : origin(`file ${path}`, uses),
      })),
      ...service.hostFiles.map((path) => ({ path, from: 'the host, unprotected' })),
    ],
    secrets: names.map((name) => {
      const own = uses.filter(({ secret }) => secret.name === name);
      return {
        name,
        from: describeSource((own[0] as (typeof own)[number]).secret),
        uses: own.map(({ where, format }) => (format === '' ? where : `${where} as :${format}`)),
      };
    }),
    hostChooses: [
      ...service.command.flatMap((argument, index) =>
        /^@@[0-9]+$/.test(argument) ? [`argument ${index} (${argument})`] : [],
      ),
      ...service.hostEnvironment.map((name) => `variable ${name}`),
      ...service.hostFiles.map((path) => `file ${path}`),
    ],
    changedBy: session.accessPolicy.update.map((entry) => describeEntry(entry)).join(', or '),
  };
}

function origin(where: string, uses: ReturnType<typeof secretUses>): string {
  const names = uses.filter((use) => use.where === where).map(({ secret }) => `secret ${secret.name}`);
  return names.length === 0 ? 'the policy' : `the policy with ${[...new Set(names)].join(', ')}`;
}

function template(provided: readonly string[] | undefined): string {
  const names =
    provided === undefined ? 'all secrets of the session' : ['the secrets', ...provided].join(' ');
  return `the image’s own file as template, which may hold ${names}`;
}

/** Where a secret's value comes from, in words. */
export function describeSource(secret: Secret): string {
  if (secret.import) {
    const { from, secret: name } = secret.import;
    const cas = from.casUrl === undefined ? '' : ` at CAS ${from.casUrl}`;
    const version = from.sessionHash === undefined ? '' : ` in its version ${from.sessionHash.slice(0, 16)}…`;
    return `secret ${name} of session ${from.session}${cas}${version}`;
  }
  if (secret.importAkv)
    return `${secret.importAkv.secretName} of the Azure Key Vault ${secret.importAkv.vault}`;
  if (secret.value !== undefined) return 'a value that the policy gives';
  switch (secret.kind) {
    case 'ascii':
      return `${secret.size ?? 20} random characters that CAS makes`;
    case 'binary':
      return `${secret.size ?? 20} random bytes that CAS makes`;
    case 'private-key':
      return `a ${secret.keyType ?? 'P-256'} key that CAS makes`;
    case 'x509':
    case 'x509-ca':
      return `a certificate that CAS makes, signed by ${secret.issuer ?? 'itself'}`;
    case 'jwt':
      return `a token that CAS signs with ${secret.signer ?? ''} at every start`;
    default:
      return `a ${secret.kind ?? 'value'} that CAS makes`;
  }
}

function describeTrust(
  session: Session,
  service: Service,
  restriction: readonly string[] | undefined,
): readonly string[] {
  const { attestation, reference } = session.security;
  if (attestation.mode === 'none') return ['anybody: mode none asks for no evidence'];
  const whole = reference ?? attestation.reference;
  return [
    ...(whole === undefined ? [] : [`whatever ${whole} says besides; nobody while that cannot be resolved`]),
    ...service.attestation.map((variant) => `code with ${describeVariant(variant)}`),
    ...describeGuests(service),
    ...(restriction ? [`and only ${describeMeasurements(restriction)}`] : []),
    session.acceptSimulation
      ? 'on real or simulated hardware (simulated hardware protects nothing)'
      : 'on real hardware',
    ...(attestation.mustBeSgxLocal ? ['only as an enclave on the machine of CAS itself'] : []),
    ...(service.platforms ? [`only with the quoting enclaves ${service.platforms.join(', ')}`] : []),
    ...(service.chips ? [`only on the machines ${service.chips.join(', ')}`] : []),
    ...(attestation.mode === 'maa'
      ? [`only with a token of the attestation provider ${attestation.url ?? ''} besides`]
      : []),
    ...(session.minimumTcbDate === undefined
      ? []
      : [`with a TCB level of ${session.minimumTcbDate.slice(0, 10)} or later`]),
    ...(session.advisoryGraceDays === undefined
      ? []
      : [`lacking updates for at most ${session.advisoryGraceDays} days`]),
    ...(session.minimumEvaluationNumber === undefined
      ? []
      : [`judged by Intel’s evaluation ${session.minimumEvaluationNumber} or a later one`]),
    ...(attestation.tolerate.length > 0 ? [`tolerating ${attestation.tolerate.join(', ')}`] : []),
    ...(attestation.ignoreAdvisories === '*'
      ? ['whatever advisories apply']
      : attestation.ignoreAdvisories.length > 0
        ? [`ignoring ${attestation.ignoreAdvisories.join(', ')}`]
        : []),
    ...Object.entries(session.ignoreAdvisoriesOf ?? {}).flatMap(([tee, list]) =>
      list === undefined
        ? []
        : [`ignoring on ${tee}: ${list === '*' ? 'whatever applies' : list.join(', ') || 'none'}`],
    ),
  ];
}

/** What whoever starts the service must know or leave alone. */
function describeStart(session: Session, service: Service): readonly string[] {
  const { security } = session;
  const code = service.oneTimePasswordSharedSecret ?? security.attestation.oneTimePasswordSharedSecret;
  return [
    ...(code === undefined ? [] : ['with a one-time password behind the config id (session/service@123456)']),
    ...(security.serviceAccessToken === undefined ? [] : ['with the service access token']),
    ...(security.singletonEnclaves ? ['one instance at a time: a newer start ends the one before'] : []),
  ];
}

/** The confidential VMs that may run a service, in words, one for each image. */
export function describeGuests(service: Service): readonly string[] {
  const words = (kind: string, pins: Readonly<Record<string, unknown>>, image: string): string =>
    `image ${image} in ${kind} guest with ${Object.entries(pins)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
      .join(', ')}`;
  return [
    ...(service.tdx ?? []).flatMap(({ image, ...pins }) => image.map((one) => words('a TDX', pins, one))),
    ...(service.snp ?? []).flatMap(({ image, ...pins }) => image.map((one) => words('an SNP', pins, one))),
  ];
}

function describeMeasurements(values: readonly string[]): string {
  return `measurement ${values.join(' or ')}`;
}

/** One attestation variant in words. */
export function describeVariant(variant: AttestationVariant): string {
  const { mrenclave, signer, fragments = [] } = variant;
  const parts = mrenclave ? [describeMeasurements(mrenclave)] : [];
  if (signer) {
    const { isvprodid, isvsvnMin, isvsvnMax } = signer;
    const versions = [
      ...(isvprodid === undefined ? [] : [`product ${isvprodid}`]),
      ...(isvsvnMin === undefined ? [] : [`version ${isvsvnMin} or later`]),
      ...(isvsvnMax === undefined ? [] : [`version ${isvsvnMax} or earlier`]),
    ];
    parts.push([`signer ${signer.mrsigner}`, ...versions].join(', '));
  }
  return [...parts, ...fragments.map((fragment) => `what ${fragment} says`)].join(' and ');
}
