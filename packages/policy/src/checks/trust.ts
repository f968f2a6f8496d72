import { hostArgumentNumber } from '../host-arguments.ts';
import type { Check } from './check.ts';

/** Every service says what may run, unless no evidence is asked for; nothing is true of nothing. */
export const statedTrust: Check = (session, report) => {
  const { attestation } = session.security;
  const asked =
    attestation.mode !== 'none' ||
    attestation.reference !== undefined ||
    session.security.reference !== undefined;
  const restricting = new Set(session.images.filter(({ mrenclaves }) => mrenclaves).map(({ name }) => name));
  for (const service of session.services) {
    const restricted = restricting.has(service.imageName ?? '');
    const guests = service.tdx !== undefined || service.snp !== undefined;
    const written = report.has(service, 'attestation') || report.has(service, 'mrenclaves');
    if (asked && service.attestation.length === 0 && !guests && !restricted && !written) {
      report.error(
        service,
        undefined,
        `attestation, mrenclaves, or tdx or snp in ensconce expected for service \`${service.name}\` (mode ${attestation.mode}), none found`,
      );
    }
    if (!asked && (service.attestation.length > 0 || guests || restricted)) {
      report.warning(
        service,
        undefined,
        'mode none: what attestation, mrenclaves, tdx and snp say is not checked',
      );
    }
  }
  if (attestation.ignoreAdvisories === '*') {
    report.warning(
      session,
      'security',
      'ignore_advisories "*": every known vulnerability of the platform is accepted',
    );
  }
  if (attestation.tolerate.includes('debug-mode')) {
    report.warning(
      session,
      'security',
      'tolerate debug-mode: the host can read the memory of such an enclave',
    );
  }
  if (attestation.tolerate.includes('maa-managed-tcb') && attestation.mode !== 'maa') {
    report.warning(session, 'security', 'maa-managed-tcb has no meaning outside mode maa');
  }
  if (attestation.tolerate.includes('local-attestation-trust-cas-tcb')) {
    report.warning(
      session,
      'security',
      'local-attestation-trust-cas-tcb has no effect: the evidence of a local service shows its TCB, and that is judged',
    );
  }
  for (const service of session.services) {
    const named = service.platforms !== undefined || service.chips !== undefined;
    if (named && !asked) {
      report.warning(service, 'platforms', 'mode none: what platforms says is not checked');
    } else if (
      service.platforms !== undefined &&
      (attestation.mustBeSgxLocal || attestation.mode === 'maa')
    ) {
      report.warning(
        service,
        'platforms',
        `platforms has no effect beside ${attestation.mustBeSgxLocal ? 'must_be_sgx_local' : 'mode maa'}`,
      );
    }
  }
  if (session.acceptSimulation) {
    report.warning(session, 'ensconce', 'accept_simulation: simulated hardware protects nothing');
  }
  const open = (['read', 'update', 'createSessions'] as const).find((right) =>
    session.accessPolicy[right].some(({ kind }) => kind === 'any'),
  );
  if (open !== undefined)
    report.warning(
      session,
      'access_policy',
      `ANY: everybody may ${open === 'createSessions' ? 'create sessions here' : `${open} this session`}`,
    );
};

export const exclusiveKeys: Check = (session, report) => {
  if (session.predecessor !== undefined && session.namespaceHash !== undefined) {
    report.error(
      session,
      'namespace_hash',
      'predecessor (an update) or namespace_hash (a creation) expected, both found',
    );
  }
};

/** What the host, which is the attacker, may choose. */
export const hostInfluence: Check = (session, report) => {
  for (const service of session.services) {
    const seen = new Set<number>();
    service.command.forEach((argument, index) => {
      const number = hostArgumentNumber(argument);
      if (number === undefined) {
        if (/@@[0-9]/.test(argument)) {
          report.warning(
            service,
            'command',
            'an argument that is only @@N expected, @@N inside another found: it stays as it is',
          );
        }
        return;
      }
      if (number === 0)
        report.error(service, 'command', '@@1 or later expected (the first host argument is @@1), @@0 found');
      if (seen.has(number))
        report.error(service, 'command', `each host argument at most once expected, @@${number} found again`);
      seen.add(number);
      if (index === 0)
        report.warning(service, 'command', `@@${number} as program: the host chooses what is run`);
      else if (!service.command.slice(0, index).includes('--')) {
        report.warning(
          service,
          'command',
          `@@${number} comes from the host and may look like an option; put -- before it where the program takes that`,
        );
      }
    });
    for (const name of service.hostEnvironment) {
      if (loaderVariable.test(name)) {
        report.warning(
          service,
          'environment',
          `\\@\\@${name}: the host can make the program run its code with this variable`,
        );
      }
    }
    if (service.command.length === 0 && !report.has(service, 'command'))
      report.warning(service, undefined, `service \`${service.name}\` has no command and cannot be started`);
  }
};

/** Variables by which a dynamic loader, an interpreter or a shell takes code or configuration. */
const loaderVariable =
  /^(?:LD_.*|GLIBC_TUNABLES|GCONV_PATH|MALLOC_.*|NODE_OPTIONS|NODE_PATH|PYTHON.*|PERL5?(?:LIB|OPT|DB)|RUBY(?:LIB|OPT)|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|BASH_ENV|ENV|IFS|PATH|OPENSSL_.*|SSL_CERT_.*|DOTNET_.*|CORECLR_.*)$/;
