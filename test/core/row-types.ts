import { expectTypeOf } from 'vitest';
import type { Alert } from '../../src/events/alerts.ts';
import type { Artifact } from '../../src/events/artifacts.ts';
import type { Checkpoint } from '../../src/events/checkpoints.ts';
import type { Decision } from '../../src/events/decisions.ts';
import type { WholeEvent } from '../../src/events/history-file.ts';
import type { Preset } from '../../src/events/presets.ts';
import type { Profile } from '../../src/events/profiles.ts';
import type { Project } from '../../src/events/projects.ts';
import type { Session } from '../../src/events/sessions.ts';
import type { Task } from '../../src/events/task-forms.ts';
import type { Json, Schema } from '../../supabase/types.ts';

// No test: `npm run typecheck` holds the types that the code goes by against those generated from the database.

type Tables = Schema['public']['Tables'];

/** The fields that the code names itself, and a column too. */
type Shared<Code, Row> = keyof {
  [Field in keyof Code as string extends Field ? never : Field & keyof Row]: true;
};

/** The fields whose type differs from their column's. A column says nothing about the type of JSON. */
type Disagreeing<Code, Table extends keyof Tables, Row = Tables[Table]['Row']> = {
  [Field in Shared<Code, Row>]-?: Agrees<Code[Field & keyof Code], Row[Field & keyof Row]> extends true ? never : Field;
}[Shared<Code, Row>];

type Agrees<Field, Column> = Json extends Column | null ? true : NonNullable<Field> extends Column ? true : false;

// A task shows what it depends on, not the ids.
expectTypeOf<Disagreeing<Task, 'tasks'>>().toEqualTypeOf<'dependencies'>();
expectTypeOf<Disagreeing<Project, 'projects'>>().toBeNever();
expectTypeOf<Disagreeing<Artifact, 'artifacts'>>().toBeNever();
expectTypeOf<Disagreeing<Decision, 'decisions'>>().toBeNever();
expectTypeOf<Disagreeing<Checkpoint, 'checkpoints'>>().toBeNever();
expectTypeOf<Disagreeing<Alert, 'agent_alerts'>>().toBeNever();
expectTypeOf<Disagreeing<Preset, 'command_presets'>>().toBeNever();
expectTypeOf<Disagreeing<Profile, 'execution_constraints'>>().toBeNever();
expectTypeOf<Disagreeing<Session, 'agent_sessions'>>().toBeNever();
expectTypeOf<Disagreeing<WholeEvent, 'events'>>().toBeNever();
