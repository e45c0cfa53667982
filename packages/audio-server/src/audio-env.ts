import { BackendKey, plainUrl } from '@youworker/contracts/agent/model-backends'
import { httpUrl } from '@youworker/runtime/process/config'
import { z } from 'zod'

const isPlain = ({ username, password, search, hash }: URL): boolean => username + password + search + hash === ''

/** Settings of a process that has recordings transcribed. */
export const audioEnv = {
  AUDIO__BASE_URL: httpUrl
    .refine(
      (url) => !URL.canParse(url) || isPlain(new URL(url)),
      'must have no user, password, query or fragment: a key goes into AUDIO__API_KEY',
    )
    .optional()
    .describe(
      "A server that transcribes and speaks, with OpenAI's protocol: speaches, LocalAI, whisper.cpp's, a hosted one; with its version, as http://host:8000/v1. Without it chat takes and gives text only, and recordings are not read as documents",
    ),
  AUDIO__API_KEY: BackendKey.optional().meta({ description: 'Key of that server', secret: true }),
  AUDIO__TRANSCRIPTION_MODEL: z.string().min(1).default('whisper-1').describe('Its model that transcribes'),
}

/** A server without a path has the usual one. */
export function withVersion(url: string): string {
  const plain = plainUrl(url)
  return new URL(plain).pathname === '/' ? `${plain}/v1` : plain
}
