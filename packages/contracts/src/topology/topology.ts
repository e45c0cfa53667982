import { analytics } from '../analytics.ts'
import { auth } from '../auth.ts'
import { chatAgent } from '../chat-agent.ts'
import { gateway } from '../audit/gateway.ts'
import type { Contract, Event, Request } from '../define.ts'
import { requestsOf } from '../define.ts'
import { group } from '../group.ts'
import { healthContract } from '../health.ts'
import { ingestion } from '../ingestion.ts'

export const SERVICES = ['gateway', 'auth', 'group', 'chat-agent', 'ingestion', 'analytics', 'tools'] as const
export type ServiceName = (typeof SERVICES)[number]

/** The Postgres schema of each service that has one. */
export const SCHEMAS = {
  auth: 'auth',
  group: 'group',
  'chat-agent': 'chat_agent',
  ingestion: 'ingestion',
  analytics: 'analytics',
} as const
export type SchemaOwner = keyof typeof SCHEMAS

/** The contract of each service. */
export const CONTRACTS: Readonly<Partial<Record<ServiceName, Contract>>> = {
  gateway,
  auth,
  group,
  'chat-agent': chatAgent,
  ingestion,
  analytics,
}

/** Without these the gateway can serve nobody. */
export const GATEWAY_NEEDS = ['auth', 'chat-agent'] as const satisfies readonly ServiceName[]

interface Neighbours {
  readonly calls: readonly Request[]
  /** Events with effects in the database, consumed once per service through its durable JetStream consumer. */
  readonly consumes: readonly Event[]
  /** Events that every replica receives, for its caches and streams. */
  readonly subscribes: readonly Event[]
}

const everyRequest = (...contracts: Contract[]): Request[] =>
  contracts
    .flatMap((contract) => requestsOf(contract).map(([, request]) => request))
    .filter((request) => request.auth !== 'service')

const verifier = [auth.listKeys, auth.listRevocations]

/** Requests that each service calls and events that it reads. NATS permissions are generated from this table. */
export const NEIGHBOURS: Readonly<Record<ServiceName, Neighbours>> = {
  gateway: {
    calls: [
      ...everyRequest(auth, group, chatAgent, ingestion, analytics),
      ...SERVICES.map((service) => healthContract(service).checkHealth),
    ],
    consumes: [],
    subscribes: [auth.revocationAdded, ingestion.runFinished],
  },
  auth: {
    calls: [],
    consumes: [
      gateway.auditRecorded,
      auth.auditRecorded,
      group.auditRecorded,
      chatAgent.auditRecorded,
      ingestion.auditRecorded,
      analytics.auditRecorded,
      chatAgent.runStarted,
      chatAgent.runFinished,
    ],
    subscribes: [auth.revocationAdded],
  },
  group: {
    calls: [...verifier, auth.lookUpUsers, auth.reportErasure],
    consumes: [auth.userDeleted],
    subscribes: [auth.revocationAdded],
  },
  'chat-agent': {
    calls: [...verifier, auth.createGrant, auth.checkGrant, auth.issueGrantToken, auth.reportErasure, group.getGroupPrompt],
    consumes: [auth.userDeleted],
    subscribes: [
      auth.revocationAdded,
      ingestion.documentIngested,
      ingestion.documentMoved,
      ingestion.documentSoftDeleted,
      ingestion.documentRestored,
      ingestion.documentDeleted,
      ingestion.collectionShared,
      ingestion.collectionUnshared,
      group.memberAdded,
      group.memberRemoved,
      group.groupSoftDeleted,
      group.groupRestored,
      group.groupDeleted,
    ],
  },
  ingestion: {
    calls: [...verifier, group.listSpaces, group.listSpacesOf, group.checkSpace, auth.describeUsers, auth.reportErasure],
    consumes: [auth.userDeleted, group.groupSoftDeleted, group.groupRestored, group.groupDeleted, group.memberRemoved],
    subscribes: [
      auth.revocationAdded,
      group.memberAdded,
      group.memberRemoved,
      group.groupSoftDeleted,
      group.groupRestored,
      group.groupDeleted,
    ],
  },
  analytics: {
    calls: [...verifier, group.getGroup, group.listMembers, auth.reportErasure],
    consumes: [
      auth.userDeleted,
      chatAgent.sessionCreated,
      chatAgent.sessionSoftDeleted,
      chatAgent.sessionRestored,
      chatAgent.sessionDeleted,
      chatAgent.messageCreated,
      chatAgent.runFinished,
      chatAgent.answerRepeated,
      chatAgent.summaryFinished,
      chatAgent.toolRunFinished,
      ingestion.runFinished,
      ingestion.documentIngested,
      ingestion.documentMoved,
      ingestion.documentSoftDeleted,
      ingestion.documentRestored,
      ingestion.documentDeleted,
    ],
    subscribes: [auth.revocationAdded],
  },
  tools: {
    calls: [...verifier, ingestion.search, ingestion.startSourceRun, ingestion.storeUpload, ingestion.startRun, ingestion.getRun],
    consumes: [],
    subscribes: [auth.revocationAdded],
  },
}
