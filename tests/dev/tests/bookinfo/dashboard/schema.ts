// Grafana's types of the parts of the dashboard. Its JSON is appended to this file and compiled.
import type { Dashboard } from '@grafana/schema';
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig as TableField, Options as Table } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { FieldConfig as TimeSeriesField, Options as TimeSeries } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** A type in JSON: enumerations are strings. */
type Json<T> = T extends string
  ? `${T}`
  : T extends (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

type Fields<Custom> = { defaults: { custom: Partial<Custom> } };
type Drawn =
  | { type: 'row' }
  | { type: 'stat'; options: Stat }
  | { type: 'table'; options: Partial<Table>; fieldConfig: Fields<TableField> }
  | { type: 'timeseries'; options: Partial<TimeSeries>; fieldConfig: Fields<TimeSeriesField> };

/** A dashboard, with its panels by type. */
type Checked = Json<Dashboard> & { panels: Json<Drawn>[] };
