import { context, SpanKind, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import { causeChain } from '@ensconce/base/errors';
import { publicError } from '../errors.ts';
import type { Attributes, Trace, Tracing } from './tracing.ts';

export interface OtlpOptions {
  /** Base address of a receiver of OTLP over HTTP; spans go to `/v1/traces` below it. */
  readonly endpoint: string;
  readonly version: string;
  readonly log: Logger;
}

/** Spans that wait are bounded: the oldest fall out where the receiver is away. */
const waiting = 2048;
const exportTimeout = 10_000;
const closeTimeout = 3000;

/** Sends traces by OpenTelemetry's own protocol. Nothing waits for them, and nothing fails because of them. */
export function otlpTracing({ endpoint, version, log }: OtlpOptions): Tracing {
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: exportTimeout });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'ensconce-cas', 'service.version': version }),
    spanProcessors: [
      new BatchSpanProcessor({ exporter, maxQueueSize: waiting, exportTimeoutMillis: exportTimeout }),
    ],
  });
  const tracer = provider.getTracer('ensconce-cas', version);
  return {
    begin: (name, attributes) =>
      new OtlpTrace(tracer, tracer.startSpan(name, { kind: SpanKind.SERVER, attributes })),
    close: async () => {
      const timer = Promise.withResolvers<void>();
      const timeout = setTimeout(timer.resolve, closeTimeout);
      try {
        await Promise.race([provider.shutdown(), timer.promise]);
      } catch (error) {
        log.warn({ reason: causeChain(error) }, 'the last traces could not be sent');
      } finally {
        clearTimeout(timeout);
      }
    },
  };
}

class OtlpTrace implements Trace {
  readonly #tracer: Tracer;
  readonly #span: Span;

  constructor(tracer: Tracer, span: Span) {
    this.#tracer = tracer;
    this.#span = span;
  }

  async step<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const span = this.#tracer.startSpan(name, {}, trace.setSpan(context.active(), this.#span));
    try {
      return await work();
    } catch (error) {
      // The code alone: messages may quote what a stranger sent.
      span.setStatus({ code: SpanStatusCode.ERROR, message: publicError(error).code });
      throw error;
    } finally {
      span.end();
    }
  }

  end(attributes: Attributes, failure?: string): void {
    this.#span.setAttributes(attributes);
    if (failure !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    this.#span.end();
  }
}
