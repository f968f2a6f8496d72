import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import * as v from 'valibot';
import { postSession } from '@ensconce/api/client';
import { fromHex } from '@ensconce/base/bytes';
import { guestConfigId, guestHostData, imageDigest, imageRegister } from '@ensconce/measurement/guest';
import { encodeDescription } from '@ensconce/measurement/image';
import { makeCertificateTable, makeSnpReport } from '@ensconce/simulation/snp/quote';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { replay } from '@ensconce/verify/replay';
import { nodeCrypto } from '@ensconce/crypto-node/provider';
import { attestAnswer, type AttestAnswer } from '@ensconce/wire/attestation';
import { reportData } from '@ensconce/wire/binding';
import { casUnderTest, clientKeys, testFolder } from '../../test/cas-under-test.ts';
import { imageFor, measure, openService } from '../../test/service-under-test.ts';
import { sessionText } from '../../test/session-text.ts';
import { amd, chip, simulatedGuests } from '../../test/simulated-guests.ts';

const bytes = (byte: number, size = 48): Uint8Array => new Uint8Array(size).fill(byte);
const pins = { mrtd: '01', rtmr0: '02', rtmr1: '03', rtmr2: '04' };
const whole = Object.entries(pins).map(([name, byte]) => `${name}: ${byte.repeat(48)}`);

type Registers = readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

interface Sent {
  readonly format: 'tdx' | 'snp';
  readonly configId?: string;
  readonly mrtd?: Uint8Array;
  readonly rtmrs?: (right: Registers) => Registers;
  readonly mrconfigid?: string;
  readonly measurement?: Uint8Array;
  readonly hostData?: string;
  readonly vmpl?: number;
  readonly debug?: boolean;
  /** The certificate table of the host beside the report. */
  readonly table?: boolean;
  /** The layers of another image than the one that the session pins. */
  readonly layers?: readonly string[];
  readonly exporter?: Uint8Array;
}

/** A CAS that believes a simulated Intel and AMD, with a session that pins guests as `guests` says. */
async function start(
  t: TestContext,
  guests: (image: string) => string,
  more = '',
): Promise<{
  send: (sent: Sent) => Promise<AttestAnswer>;
  folder: string;
  asked: string[];
  withhold: () => void;
}> {
  const folder = testFolder(t);
  const vendor = await openSimulatedVendor({ folder: join(folder, 'vendor'), now: () => new Date() });
  const hardware = simulatedGuests(vendor);
  const { cas, connect } = await casUnderTest(t, { folder, verifier: hardware.verifier });
  const image = imageFor(cas);
  const session = sessionText({ name: 's', mrenclave: 'ee'.repeat(32) })
    .replace('    attestation:\n      - mrenclave: ["' + 'ee'.repeat(32) + '"]\n', '')
    .replace('      host_files:', `${guests(measure(image))}      host_files:`)
    .replace('  accept_simulation: true\n', `  accept_simulation: true\n${more}`);
  await postSession(await connect(await clientKeys()), session);
  const casKey = new X509Certificate(cas.certificate).publicKey.export({ type: 'spki', format: 'der' });

  const send = async (sent: Sent): Promise<AttestAnswer> => {
    const connection = await openService(cas);
    const configId = sent.configId ?? 's/app';
    const shown = sent.layers === undefined ? image : imageFor(cas, sent.layers);
    const measurement = measure(shown);
    const purpose = { casIdentity: cas.identity, configId, measurement };
    const data = reportData({
      role: 'service-to-cas',
      publicKey: new X509Certificate(connection.keys.certificate).publicKey.export({
        type: 'spki',
        format: 'der',
      }),
      exporter: sent.exporter ?? connection.exporter,
      nonce: connection.nonce,
      configId,
      casIdentity: casKey,
    });
    const evidence =
      sent.format === 'tdx'
        ? vendor.makeTdxQuote({
            reportData: data,
            mrtd: sent.mrtd ?? bytes(1),
            rtmrs: (sent.rtmrs ?? ((right) => right))([
              bytes(2),
              bytes(3),
              bytes(4),
              fromHex(imageRegister(measurement)),
            ]),
            mrconfigid: fromHex(sent.mrconfigid ?? guestConfigId(purpose)),
            debug: sent.debug ?? false,
          })
        : makeSnpReport(chip, {
            reportData: data,
            version: 3,
            measurement: sent.measurement ?? bytes(5),
            hostData: fromHex(sent.hostData ?? guestHostData(purpose)),
            vmpl: sent.vmpl ?? 1,
            debug: sent.debug ?? false,
          });
    connection.frames.send({
      type: 'attest',
      version: 1,
      configId,
      format: sent.format,
      evidence: Buffer.from(evidence).toString('base64'),
      description: Buffer.from(encodeDescription(shown)).toString('base64'),
      ...(sent.table === true
        ? { certificates: Buffer.from(makeCertificateTable(chip, amd)).toString('base64') }
        : {}),
    });
    const answer = v.parse(attestAnswer, await connection.frames.receive(5000));
    connection.socket.destroy();
    return answer;
  };
  return { send, folder, asked: hardware.asked, withhold: hardware.withhold };
}

const tdxGuest = (image: string): string => `      tdx: {${whole.join(', ')}, image: ${image}}\n`;
const snpGuest = (image: string, rest = ''): string =>
  `      snp: {measurement: ${'05'.repeat(48)}, vmpl: 1, image: ["${image}"]${rest}}\n`;

function refusal(answer: AttestAnswer): string {
  assert.equal(answer.type, 'refused');
  return answer.type === 'refused' ? `${answer.code}: ${answer.msg.join(': ')}` : '';
}

void test('RTMR3 is what a launcher that extends it by the image leaves there', async () => {
  const image = 'ab'.repeat(32);
  const registers = await replay(nodeCrypto, 'sha384', [{ index: 3, digest: imageDigest(image) }]);
  assert.equal(registers.get(3)?.toHex(), imageRegister(image));
});

void test('a pinned TD gets its configuration', async (t) => {
  const { send, folder } = await start(t, tdxGuest);
  assert.equal((await send({ format: 'tdx' })).type, 'configured');
  assert.match(
    readFileSync(join(folder, 'state', 'audit.jsonl'), 'utf8'),
    /"code":"(?:01){48}".*"simulated":true.*"tee":"tdx"\},"released".*"type":"Service attested"/,
  );
});

void test('a TD that differs from the pinned one in anything is refused', async (t) => {
  const { send } = await start(t, tdxGuest);
  const zero = bytes(0);
  const right = { format: 'tdx' } as const;
  const cases: [string, Partial<Sent>, RegExp][] = [
    ['firmware', { mrtd: bytes(9) }, /^CAS_SERVICE_REFUSED: .*code is accepted/],
    ['RTMR0', { rtmrs: ([, b, c, d]) => [zero, b, c, d] }, /^CAS_SERVICE_REFUSED: .*rtmr0/],
    ['RTMR1', { rtmrs: ([a, , c, d]) => [a, zero, c, d] }, /^CAS_SERVICE_REFUSED: .*rtmr1/],
    ['RTMR2', { rtmrs: ([a, b, , d]) => [a, b, zero, d] }, /^CAS_SERVICE_REFUSED: .*rtmr2/],
    ['no image in RTMR3', { rtmrs: ([a, b, c]) => [a, b, c, zero] }, /^CAS_SERVICE_REFUSED: .*RTMR3/],
    ['launched for nothing', { mrconfigid: '00'.repeat(48) }, /^CAS_SERVICE_REFUSED: .*MRCONFIGID/],
    ['another image', { layers: ['7'.repeat(64)] }, /^CAS_SERVICE_REFUSED: .*code is accepted/],
    ['debug', { debug: true }, /^CAS_SERVICE_REFUSED: .*debug/],
    ['another connection', { exporter: bytes(1, 32) }, /^CAS_BINDING_MISMATCH/],
    ['the other TEE', { format: 'snp' }, /^CAS_SERVICE_REFUSED/],
    ['a table beside a quote', { table: true }, /^CAS_SERVICE_UNSUPPORTED/],
  ];
  for (const [what, change, expected] of cases)
    assert.match(refusal(await send({ ...right, ...change })), expected, what);
});

void test('a pinned SEV-SNP guest gets its configuration, with certificates of its host or from the key server', async (t) => {
  const { send, asked } = await start(t, (image) => snpGuest(image, ', minimum_tcb: {snp: 24}'));
  assert.equal((await send({ format: 'snp', table: true })).type, 'configured');
  assert.ok(!asked.some((path) => path.includes(chip.hwId.toHex())));
  assert.equal((await send({ format: 'snp' })).type, 'configured');
  assert.ok(asked.some((path) => path.includes(chip.hwId.toHex())));
});

void test('an SEV-SNP guest that differs from the pinned one in anything is refused', async (t) => {
  const { send } = await start(t, snpGuest);
  const right = { format: 'snp', table: true } as const;
  const cases: [string, Partial<Sent>, RegExp][] = [
    ['code', { measurement: bytes(9) }, /^CAS_SERVICE_REFUSED: .*code is accepted/],
    ['launched for nothing', { hostData: '00'.repeat(32) }, /^CAS_SERVICE_REFUSED: .*HOST_DATA/],
    ['privilege level', { vmpl: 0 }, /^CAS_SERVICE_REFUSED: .*vmpl 1/],
    ['another image', { layers: ['7'.repeat(64)] }, /^CAS_SERVICE_REFUSED: .*code is accepted/],
    ['debug', { debug: true }, /^CAS_SERVICE_REFUSED: .*debug/],
    ['another connection', { exporter: bytes(1, 32) }, /^CAS_BINDING_MISMATCH/],
    ['the other TEE', { format: 'tdx', table: false }, /^CAS_SERVICE_REFUSED/],
  ];
  for (const [what, change, expected] of cases)
    assert.match(refusal(await send({ ...right, ...change })), expected, what);
  const fresh = await start(t, snpGuest);
  fresh.withhold();
  assert.match(refusal(await fresh.send(right)), /^CAS_EVIDENCE_UNDECIDED/, 'the list is withheld');
});

void test('a minimum TCB date holds, and where the vendor has no dates a minimum TCB must be named', async (t) => {
  const far = '  minimum_tcb_date: 2099-01-01\n';
  const near = '  minimum_tcb_date: 2020-01-01\n';
  const decided = async (guests: typeof tdxGuest, date: string, format: Sent['format']): Promise<string> =>
    (await (await start(t, guests, date)).send({ format })).type;
  assert.equal(await decided(tdxGuest, far, 'tdx'), 'refused');
  assert.equal(await decided(tdxGuest, near, 'tdx'), 'configured');
  assert.equal(await decided(snpGuest, near, 'snp'), 'refused');
  assert.equal(
    await decided((image) => snpGuest(image, ', minimum_tcb: {snp: 24}'), near, 'snp'),
    'configured',
  );
  assert.equal(await decided((image) => snpGuest(image, ', minimum_tcb: {snp: 25}'), near, 'snp'), 'refused');
});
