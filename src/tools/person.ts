import * as z from 'zod';
import {
  ListAuthEvents,
  listAuthEvents,
  RemoveClient,
  RevokeInvitation,
  removeClient,
  revokeInvitation,
} from '../services/access.ts';
import { SetAgentsMax, setAgentsMax } from '../services/agents.ts';
import { DecideApproval, decideApproval, GetApproval, getApproval } from '../services/approvals.ts';
import { ListAudit, listAudit } from '../services/audit.ts';
import { ListCosts, listCosts } from '../services/costs.ts';
import { ListQuestions, listQuestions } from '../services/events.ts';
import { ChangeJob, changeJob, ListJobs, listJobs, SetJob, setJob } from '../services/jobs.ts';
import { DecideMemory, decideMemory, ListMemories, listMemories } from '../services/memory.ts';
import { ListNeeds, listNeeds } from '../services/needs.ts';
import {
  ListOutput,
  listOutput,
  SetOutputQuota,
  SetOutputSearch,
  setOutputQuota,
  setOutputSearch,
} from '../services/output.ts';
import { ListModelPrices, listModelPrices, SetModelPrice, setModelPrice } from '../services/prices.ts';
import { ListReports, listReports } from '../services/reports.ts';
import { ListSteps, listSteps } from '../services/steps.ts';
import {
  ApproveTask,
  approveTask,
  CompleteTaskAsPerson,
  CompleteUnheldTask,
  completeTask,
  completeUnheldTask,
  ReleaseTaskAsPerson,
  releaseTask,
  UpdateTaskAsPerson,
  updateTask,
} from '../services/tasks.ts';
import { Everything, replayEvents, verifyEvents } from '../services/transfer.ts';
import type { Command } from './command.ts';

/** What only a person does, by a command or on a page: no agent sees it, so that it has no text. */
export const person = {
  approve_task: { name: 'approve_task', scope: 'tasks:write', input: ApproveTask, run: approveTask },
  change_job: { name: 'change_job', scope: 'admin', input: ChangeJob, run: changeJob },
  complete_task: { name: 'complete_task', scope: 'tasks:write', input: CompleteTaskAsPerson, run: completeTask },
  complete_unheld_task: {
    name: 'complete_unheld_task',
    scope: 'tasks:write',
    input: CompleteUnheldTask,
    run: completeUnheldTask,
  },
  decide_approval: { name: 'decide_approval', scope: 'agents:send', input: DecideApproval, run: decideApproval },
  decide_memory: { name: 'decide_memory', scope: 'projects:write', input: DecideMemory, run: decideMemory },
  get_approval: { name: 'get_approval', scope: 'agents:read', input: GetApproval, run: getApproval },
  list_audit: { name: 'list_audit', scope: 'admin', input: ListAudit, run: listAudit },
  list_auth_events: {
    name: 'list_auth_events',
    scope: 'admin',
    input: ListAuthEvents.extend({ unowned: z.boolean().default(false) }),
    run: listAuthEvents,
  },
  list_costs: { name: 'list_costs', scope: 'agents:read', input: ListCosts, run: listCosts },
  list_jobs: { name: 'list_jobs', scope: 'tasks:read', input: ListJobs, run: listJobs },
  list_memories: { name: 'list_memories', scope: 'projects:read', input: ListMemories, run: listMemories },
  list_model_prices: {
    name: 'list_model_prices',
    scope: 'agents:read',
    input: ListModelPrices,
    run: listModelPrices,
  },
  list_needs: { name: 'list_needs', scope: 'tasks:read', input: ListNeeds, run: listNeeds },
  list_output: { name: 'list_output', scope: 'agents:read', input: ListOutput, run: listOutput },
  list_questions: { name: 'list_questions', scope: 'tasks:read', input: ListQuestions, run: listQuestions },
  list_reports: { name: 'list_reports', scope: 'agents:read', input: ListReports, run: listReports },
  list_steps: { name: 'list_steps', scope: 'agents:read', input: ListSteps, run: listSteps },
  release_task: { name: 'release_task', scope: 'tasks:write', input: ReleaseTaskAsPerson, run: releaseTask },
  remove_client: { name: 'remove_client', scope: 'admin', input: RemoveClient, run: removeClient },
  replay_events: { name: 'replay_events', scope: 'admin', input: Everything, run: replayEvents },
  revoke_invitation: { name: 'revoke_invitation', scope: 'admin', input: RevokeInvitation, run: revokeInvitation },
  set_agents_max: { name: 'set_agents_max', scope: 'admin', input: SetAgentsMax, run: setAgentsMax },
  set_job: { name: 'set_job', scope: 'admin', input: SetJob, run: setJob },
  set_model_price: { name: 'set_model_price', scope: 'admin', input: SetModelPrice, run: setModelPrice },
  set_output_quota: { name: 'set_output_quota', scope: 'admin', input: SetOutputQuota, run: setOutputQuota },
  set_output_search: { name: 'set_output_search', scope: 'admin', input: SetOutputSearch, run: setOutputSearch },
  update_task: { name: 'update_task', scope: 'tasks:write', input: UpdateTaskAsPerson, run: updateTask },
  verify_events: { name: 'verify_events', scope: 'tasks:read', input: Everything, run: verifyEvents },
} as const satisfies Record<string, Command>;
