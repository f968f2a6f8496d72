import { performance } from 'node:perf_hooks';
import type { EvidenceVerifier } from '../evidence/verifier.ts';
import type { AttestContext } from '../service-port/attest-service.ts';
import type { Metrics } from './metrics.ts';
import { noTracing, type Trace, type Tracing } from './tracing.ts';

/** Whom CAS tells what it does. */
export interface Observer {
  readonly metrics: Metrics;
  readonly tracing: Tracing;
}

/** A verifier whose verdicts are counted. */
export function observedVerifier(verifier: EvidenceVerifier, metrics: Metrics): EvidenceVerifier {
  return {
    insecureAcceptsSimulation: verifier.insecureAcceptsSimulation,
    verify: async (asked) => {
      const began = performance.now();
      let outcome = 'error';
      try {
        const verdict = await verifier.verify(asked);
        outcome = verdict.outcome;
        return verdict;
      } finally {
        metrics.judged(asked.format, outcome, performance.now() - began);
      }
    },
  };
}

/** The same context, with the longer steps of an attestation as steps of `trace`. */
export function tracedContext<Context extends AttestContext>(
  context: Context,
  tracing: Tracing,
  trace: Trace,
): Context {
  if (tracing === noTracing) return context;
  const { verifier, configurations } = context;
  return {
    ...context,
    verifier: {
      insecureAcceptsSimulation: verifier.insecureAcceptsSimulation,
      verify: (asked) => trace.step('judge evidence', () => verifier.verify(asked)),
    },
    configurations: {
      of: (delivery, configure) => trace.step('put secrets in', () => configurations.of(delivery, configure)),
    },
  };
}
