import { z } from 'zod'
import { keyRingProblem, SEALING } from './key-ring.ts'

function checkRing(ring: string, context: z.core.$RefinementCtx<string>): void {
  const message = keyRingProblem(ring, SEALING)
  if (message !== undefined) context.addIssue({ code: 'custom', message })
}

/** Settings of each service that seals. */
export const sealingEnv = {
  SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET: z.string().superRefine(checkRing).meta({
    description: 'Key ring that messages and files are sealed with: a Fernet key, or id:key,id:key with the highest id in use',
    secret: true,
  }),
}
