/** For whom the audio server works, and until when. */
export interface AudioCaller {
  readonly user: string
  readonly signal: AbortSignal
}

export interface Recording {
  /** With the ending by which servers tell the format. */
  readonly name: string
  readonly mime: string
  readonly size: number
  /** From the beginning, each time. */
  readonly bytes: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

export interface TranscriptionOptions {
  /** ISO 639-1; without it the server finds out. */
  readonly language?: string | undefined
  /** Words that may come up. */
  readonly prompt?: string | undefined
  readonly temperature?: number | undefined
}

/** A part of what was said. Times are in s. */
export interface Segment {
  readonly id: number
  readonly start: number
  readonly end: number
  readonly text: string
  readonly avg_logprob?: number | undefined
  readonly no_speech_prob?: number | undefined
}

export interface Transcribed {
  /** Trimmed; empty when nobody speaks. */
  readonly text: string
  /** As the server names it. */
  readonly language?: string | undefined
  /** In s. */
  readonly duration?: number | undefined
  /** 0 to 1. */
  readonly confidence?: number | undefined
  readonly segments?: readonly Segment[] | undefined
}

/** Formats that OpenAI's protocol has for speech, with their media types. */
export const SPEECH_TYPES = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
} as const
export type SpeechFormat = keyof typeof SPEECH_TYPES

export interface SayOptions {
  readonly text: string
  readonly format: SpeechFormat
  readonly voice?: string | undefined
  readonly speed?: number | undefined
  readonly instructions?: string | undefined
}

/** A server that transcribes and speaks. Throws AppError that says what to do, or the reason of a signal that aborts. */
export interface AudioPort {
  /** Names of the models, for who asks for one by name. */
  readonly models: { readonly transcription: string; readonly speech: string }
  transcribe(recording: Recording, options: TranscriptionOptions, caller: AudioCaller): Promise<Transcribed>
  say(options: SayOptions, caller: AudioCaller): Promise<Buffer>
  /** Resolves when the server answers. */
  check(): Promise<void>
}
