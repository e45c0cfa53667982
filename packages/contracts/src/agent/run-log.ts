import { z } from 'zod'
import { Id, SpokenTime, Time } from '../common.ts'
import { FoundPassage } from './found-passage.ts'

const Count = z.number().int().min(0)

export const Citation = z
  .object({
    index: z.number().int().min(1),
    document_id: Id,
    title: z.string(),
    uri: z.string(),
    page: z.number().int().optional(),
    time: SpokenTime.optional(),
    chunk_id: z
      .string()
      .optional()
      .meta({ description: 'The passage; GET /v1/documents/{id}/chunks lists those of a document.' }),
    start: Count.optional().meta({ description: 'Where the passage begins in the text of the document, in UTF-16 units.' }),
    end: Count.optional(),
    score: z.number(),
    snippet: z.string(),
  })
  .meta({ id: 'Citation' })
export type Citation = z.infer<typeof Citation>

const ToolStart = z.object({
  tool: z.string(),
  status: z.literal('start'),
  args: z.record(z.string(), z.unknown()),
  ts: Time,
  /** Id of the tool run, not of the chat run: clients pair start and end by it. */
  run_id: Id,
  /** A search in the files that the request named. */
  file_search: z.literal(true).optional(),
})
const ToolEnd = z.object({
  tool: z.string(),
  status: z.enum(['end', 'error']),
  latency_ms: Count,
  result_preview: z.string(),
  ts: Time,
  run_id: Id,
  /** What a search in named files found, when the request asked to be told. */
  found: z.array(FoundPassage).optional(),
})
export const ToolEvent = z.discriminatedUnion('status', [ToolStart, ToolEnd])
export type ToolEvent = z.infer<typeof ToolEvent>
const Log = z.object({ level: z.enum(['info', 'warning', 'error']), msg: z.string() })

/** A call of a tool that the client runs. */
const ClientToolCall = z.object({ id: z.string(), name: z.string(), arguments: z.record(z.string(), z.unknown()) })
export type ClientToolCall = z.infer<typeof ClientToolCall>

/** What was understood of a question that was spoken. */
export const Transcript = z.object({
  text: z.string(),
  /** As the audio server names it. */
  language: z.string().optional(),
  /** 0 to 1. */
  confidence: z.number().optional(),
})
export type Transcript = z.infer<typeof Transcript>

export const Done = z
  .object({
    content: z.string(),
    transcript: z.string().optional().meta({ description: 'Of a question that was spoken.' }),
    audio_b64: z.string().optional().meta({
      description:
        'The answer as speech (WAV), when it was asked for. It is not kept: who reads the log later has the text only.',
    }),
    audio_sample_rate: z.number().int().optional(),
    citations: z.array(Citation),
    metadata: z.object({
      iterations: Count,
      tool_calls: Count,
      /** `partial`: the answer is whole, but a tool that it needed could not be reached. */
      status: z.enum(['success', 'partial', 'max_iterations', 'stopped', 'error']),
      session_id: Id,
      session_external_id: z.string(),
      session_title: z.string().nullable(),
      model: z.string(),
      tokens_in: Count,
      tokens_out: Count,
      /** The model did not count all of them, as when its answer was cut. */
      tokens_estimated: z.boolean().optional(),
      ttft_ms: Count.nullable(),
      duration_ms: Count,
      /** Why the model ended its last text: `length` when it reached the most that it may write, `tool_calls` when the client is to act. */
      finish_reason: z.enum(['stop', 'length', 'tool_calls']).optional(),
      error: z.string().optional(),
      /** The answer of an earlier run to the same question; no model was asked. */
      cached: z.literal(true).optional(),
    }),
    /** Of tools that the client runs. */
    client_calls: z.array(ClientToolCall).optional(),
    tool_events: z.array(ToolEvent),
    logs: z.array(Log),
  })
  .meta({ id: 'Done' })
export type Done = z.infer<typeof Done>

/** With what its model thought, of a run that shows it. */
export const WholeDone = Done.extend({ thinking: z.string().optional() }).meta({ id: 'WholeDone' })
export type WholeDone = z.infer<typeof WholeDone>

/** Body of a run log entry. `event` is the name of the SSE event; published clients match names by prefix. */
export const RunEntryBody = z.discriminatedUnion('event', [
  z.object({ event: z.literal('run'), data: z.object({ run_id: Id, session_id: Id }) }),
  z.object({
    event: z.literal('status'),
    /** `waited_ms`: how long the run has waited for a service that is away, over all its attempts. */
    data: z.object({ stage: z.string(), position: Count.optional(), waited_ms: Count.optional() }),
  }),
  z.object({ event: z.literal('transcript'), data: Transcript }),
  z.object({ event: z.literal('token'), data: z.object({ text: z.string() }) }),
  /** What the model thinks before it answers, of a run that was asked to show it. It is no part of the answer, and nothing discards it. */
  z.object({ event: z.literal('thinking'), data: z.object({ text: z.string() }) }),
  z.object({ event: z.literal('tool'), data: ToolEvent }),
  z.object({ event: z.literal('log'), data: Log }),
  /** Discards the text after `offset` (UTF-16 units of the concatenated tokens). The answer continues from there. */
  z.object({ event: z.literal('rewind'), data: z.object({ offset: Count }) }),
  z.object({ event: z.literal('done'), data: Done }),
])
export type RunEntryBody = z.infer<typeof RunEntryBody>

/** Number of an entry: `n = attempt * ENTRIES_PER_ATTEMPT + index`, where `index` counts from 1 without gaps. */
export const ENTRIES_PER_ATTEMPT = 1_000_000
export const RunEntry = z.object({ n: z.number().int(), body: RunEntryBody })
export type RunEntry = z.infer<typeof RunEntry>
