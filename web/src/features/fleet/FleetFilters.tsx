import { ActionIcon, Button, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { type RefObject, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { DeviceStatus, Fleet } from "../../api/types";
import { Icon } from "../../ui/Icon";
import { Select } from "../../ui/Select";
import { FacetPicker } from "./FacetPicker";
import { choices, cleared, isFiltered, sorts, toggled, type View, withSort } from "./view";

const TYPING_MS = 250;

/** Search, filters, order and grouping of the list. `onChange` with `typing` replaces the address instead of adding one. */
export function FleetFilters(props: {
  view: View;
  fleet: Fleet | undefined;
  search: RefObject<HTMLInputElement | null>;
  onChange(view: View, typing?: boolean): void;
  onLeaveSearch(): void;
}) {
  const { t } = useTranslation(["fleet", "ui"]);
  const { view, fleet, onChange } = props;
  const [text, setText] = useState(view.q);
  const told = useRef(view.q);
  const tell = useDebouncedCallback((q: string) => {
    told.current = q;
    onChange({ ...view, q }, true);
  }, TYPING_MS);
  useEffect(() => {
    // Another view was chosen; what is being typed is not one.
    if (view.q === told.current) return;
    told.current = view.q;
    setText(view.q);
  }, [view.q]);

  return (
    <>
      <search className="filters">
        <TextInput
          ref={props.search}
          aria-label={t("filter.search")}
          aria-keyshortcuts="/"
          placeholder={t("filter.searchHint")}
          leftSection={<Icon name="search" />}
          rightSection={<kbd className="shortcut">/</kbd>}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            tell(event.currentTarget.value.trim());
          }}
          onKeyDown={(event) => {
            if (event.key !== "ArrowDown") return;
            event.preventDefault();
            props.onLeaveSearch();
          }}
          type="search"
          className="filters-text"
        />
        <FacetPicker
          name={t("filter.location")}
          facets={fleet?.locations.map((counts) => ({
            value: counts.location,
            label: counts.location || t("group.none"),
            devices: counts.online + counts.late + counts.silent + counts.new,
          }))}
          chosen={view.location}
          onChange={(location) => onChange({ ...view, location })}
        />
        <FacetPicker
          name={t("filter.type")}
          facets={fleet?.types.map(({ name, devices }) => ({ value: name, label: name, devices }))}
          chosen={view.type}
          onChange={(type) => onChange({ ...view, type })}
        />
        <FacetPicker
          name={t("filter.tag")}
          facets={fleet?.tags.map(({ name, devices }) => ({ value: name, label: name, devices }))}
          chosen={view.tag}
          onChange={(tag) => onChange({ ...view, tag })}
        />
        <div className="sort">
          <Select
            label={t("sort.title")}
            hideLabel
            value={view.sort}
            options={sorts.map((sort) => ({ value: sort, label: t(`sort.${sort}`) }))}
            onChange={(sort) => onChange(withSort(view, sort))}
          />
          <ActionIcon
            variant="default"
            size={36}
            aria-label={t(view.order === "asc" ? "sort.turnDescending" : "sort.turnAscending")}
            onClick={() => onChange({ ...view, order: view.order === "asc" ? "desc" : "asc" })}
          >
            <span className="direction" data-order={view.order}>
              <Icon name="down" />
            </span>
          </ActionIcon>
        </div>
        <Button
          variant="default"
          className="toggle"
          aria-pressed={view.grouped}
          onClick={() => onChange({ ...view, grouped: !view.grouped, flipped: [] })}
        >
          {t("group.switch")}
        </Button>
      </search>
      {isFiltered(view) && <Chosen view={view} onChange={onChange} />}
    </>
  );
}

/** What the list is filtered by, each to be taken back. */
function Chosen({ view, onChange }: { view: View; onChange(view: View): void }) {
  const { t } = useTranslation(["fleet", "ui"]);
  return (
    <div className="chosen">
      {view.q && <Chip name={t("filter.words", { words: view.q })} onRemove={() => onChange({ ...view, q: "" })} />}
      {choices.flatMap((choice) =>
        view[choice].map((value) => (
          <Chip
            key={`${choice} ${value}`}
            name={choice === "status" ? t(`ui:status.${value as DeviceStatus}`) : value || t("group.none")}
            onRemove={() => onChange({ ...view, [choice]: toggled<string>(view[choice], value) })}
          />
        )),
      )}
      <Button variant="subtle" size="compact-sm" onClick={() => onChange(cleared(view))}>
        {t("filter.clear")}
      </Button>
    </div>
  );
}

function Chip({ name, onRemove }: { name: string; onRemove(): void }) {
  const { t } = useTranslation(["fleet", "ui"]);
  return (
    <button type="button" className="chip" onClick={onRemove} aria-label={t("filter.remove", { name })}>
      {name}
      <span aria-hidden="true">×</span>
    </button>
  );
}
