import {
  ChangedTask,
  Claim,
  ClaimTask,
  CompleteTask,
  CreatedTasks,
  CreateTasks,
  claimTask,
  completeTask,
  createTasks,
  ExtendLock,
  extendLock,
  GetTask,
  getTask,
  ListTasks,
  Lock,
  listTasks,
  ReleaseTask,
  releaseTask,
  TaskPage,
  TaskWithHistory,
  UpdateTask,
  updateTask,
} from '../services/tasks.ts';
import { time } from './render.ts';
import {
  briefChange,
  briefCreated,
  renderChange,
  renderClaim,
  renderCreated,
  renderPage,
  renderTask,
} from './task-text.ts';
import { toolset } from './tool.ts';

export const tasks = toolset(
  'tasks',
  {
    purpose: 'work that one agent at a time may hold',
    description: 'Units of work that one agent at a time may hold.',
    scopes: {
      'tasks:read': 'Read tasks and what happened to them',
      'tasks:write': 'Create, claim, change and complete tasks',
    },
  },
  {
    create_tasks: {
      title: 'Create tasks',
      description:
        'Plan work: up to 50 tasks at once, all or none, which may name each other by key. A task is ready when all its ' +
        'dependencies are completed.',
      effect: 'write',
      input: CreateTasks,
      output: CreatedTasks,
      run: createTasks,
      brief: briefCreated,
      render: renderCreated,
    },
    list_tasks: {
      takesWorker: true,
      title: 'List tasks',
      description: 'Find tasks of a project. To start work use claim_task instead.',
      effect: 'read',
      input: ListTasks,
      output: TaskPage,
      run: listTasks,
      render: renderPage,
    },
    get_task: {
      title: 'Read a task',
      description: 'Read one task in full: criteria, why it waits, evidence, artifacts, latest events.',
      effect: 'read',
      input: GetTask,
      output: TaskWithHistory,
      run: getTask,
      render: renderTask,
    },
    update_task: {
      title: 'Update a task',
      description:
        'Change a task in one step. While another agent holds it, only priority, rank, labels and dependencies ' +
        'can change.',
      effect: 'write',
      input: UpdateTask,
      output: ChangedTask,
      run: updateTask,
      brief: briefChange,
      render: renderChange,
    },
    claim_task: {
      keyedByAgent: true,
      alwaysLoaded: true,
      title: 'Claim a task',
      description:
        'Take the task that you name, or the best ready one, so that no other agent works on it. Returns all that you ' +
        'need to start, and the lock_token for later calls on the task, each of which renews the claim.',
      effect: 'write',
      input: ClaimTask,
      output: Claim,
      run: claimTask,
      render: renderClaim,
    },
    extend_lock: {
      title: 'Extend a lock',
      description: 'Keep a claimed task through long silent work.',
      effect: 'write',
      idempotent: true,
      input: ExtendLock,
      output: Lock,
      run: extendLock,
      render: ({ ref, locked_until }) => `You hold ${ref} until ${time(locked_until)}.`,
    },
    release_task: {
      title: 'Release a task',
      description:
        'Give a claimed task back unfinished. Use failed when you could not do it, paused when it can go on.',
      effect: 'write',
      input: ReleaseTask,
      output: ChangedTask,
      run: releaseTask,
      brief: briefChange,
      render: renderChange,
    },
    complete_task: {
      alwaysLoaded: true,
      title: 'Complete a task',
      description: 'Finish a claimed task: say what was done and show for each acceptance criterion that it is met.',
      effect: 'write',
      input: CompleteTask,
      output: ChangedTask,
      run: completeTask,
      brief: briefChange,
      render: renderChange,
    },
  },
);
