"""What a simulated vehicle publishes: payloads as plain dictionaries, by VDA 5050 2.0 and 2.1.

Pure. `Vehicle` (vehicle.py) fills them in; tests/testing/robots validates everything against the
official schemas, so nothing is validated here at run time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from dragoman.testing.robots.battery import Battery
from dragoman.testing.robots.journey import Journey, Whereabouts
from dragoman.testing.robots.misbehaviour import Misbehaviour
from dragoman.testing.robots.profile import VehicleProfile

Kind = Literal["state", "connection", "factsheet"]
encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to publish."""

    kind: Kind
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


def outgoing(kind: Kind, profile: VehicleProfile, payload: bytes) -> Outgoing:
    """A message on its topic, with the QoS and retain flag that the text asks for (6.2, 6.14)."""
    return Outgoing(
        kind=kind,
        topic=f"{profile.topic}/{kind}",
        payload=payload,
        qos=1 if kind == "connection" else 0,
        retain=kind != "state",
    )


def header(profile: VehicleProfile, header_id: int, time: datetime) -> dict[str, Any]:
    """The header (6.4)."""
    return {
        "headerId": header_id,
        "timestamp": time,
        "version": profile.version,
        "manufacturer": profile.manufacturer,
        "serialNumber": profile.serial,
    }


def error(
    error_type: str, description: str, references: Mapping[str, object], level: str = "WARNING"
) -> dict[str, Any]:
    """One entry of errors (6.10.6, 7.1)."""
    return {
        "errorType": error_type,
        "errorLevel": level,
        "errorDescription": description,
        "errorReferences": [
            {"referenceKey": key, "referenceValue": str(value)} for key, value in references.items()
        ],
    }


@dataclass(slots=True, kw_only=True)
class Vitals:
    """What a state tells beside the order: where, how charged, what is wrong."""

    where: Whereabouts
    battery: Battery
    paused: bool
    errors: list[dict[str, Any]]
    instant: list[dict[str, Any]]


def state_body(
    journey: Journey | None, vitals: Vitals, misbehaviour: Misbehaviour, now: datetime
) -> dict[str, Any]:
    """The members of a state after its header (6.10.6)."""
    where = vitals.where
    pose = where.pose if journey is None else journey.pose(now)
    actions = [] if journey is None else [run.report() for run in journey.board.runs.values()]
    return {
        "orderId": "" if journey is None else journey.order_id,
        "orderUpdateId": 0 if journey is None else journey.update_id,
        "lastNodeId": where.node_id,
        "lastNodeSequenceId": where.sequence_id,
        "nodeStates": [_node_state(node) for node in journey.nodes] if journey else [],
        "edgeStates": [_edge_state(edge) for edge in journey.edges] if journey else [],
        "driving": journey is not None and journey.driving,
        "paused": vitals.paused,
        "newBaseRequest": journey is not None and journey.waits_for_base,
        "agvPosition": {
            "x": pose.x,
            "y": pose.y,
            "theta": pose.theta,
            "mapId": pose.map_id,
            "positionInitialized": True,
        },
        "actionStates": [*actions, *vitals.instant],
        "batteryState": {
            "batteryCharge": round(vitals.battery.charge, 2),
            "charging": vitals.battery.charging,
        },
        "operatingMode": misbehaviour.mode,
        "errors": vitals.errors,
        "information": [],
        "safetyState": {"eStop": misbehaviour.e_stop, "fieldViolation": False},
    }


def _node_state(node: Any) -> dict[str, Any]:
    return {"nodeId": node.node_id, "sequenceId": node.sequence_id, "released": node.released}


def _edge_state(edge: Any) -> dict[str, Any]:
    return {"edgeId": edge.edge_id, "sequenceId": edge.sequence_id, "released": edge.released}


def factsheet_body(profile: VehicleProfile) -> dict[str, Any]:
    """The members of a factsheet after its header (6.15)."""
    scopes = ["NODE", "EDGE"]
    types = sorted(profile.action_types or ())
    actions = [{"actionType": t, "actionScopes": scopes, "actionParameters": []} for t in types]
    instant = ["cancelOrder", "factsheetRequest", "initPosition", "startCharging", "startPause"]
    instant += ["stateRequest", "stopCharging", "stopPause"]
    actions += [{"actionType": t, "actionScopes": ["INSTANT"]} for t in instant]
    return {
        "typeSpecification": {
            "seriesName": "simulated",
            "seriesDescription": "a vehicle of dragoman.testing",
            "agvKinematic": "DIFF",
            "agvClass": "CARRIER",
            "maxLoadMass": 50,
            "localizationTypes": ["NATURAL"],
            "navigationTypes": ["AUTONOMOUS"],
        },
        "physicalParameters": {
            "speedMin": 0.01,
            "speedMax": profile.speed_mps,
            "accelerationMax": 1.0,
            "decelerationMax": 1.0,
            "heightMax": 1.2,
            "width": 0.6,
            "length": 0.8,
        },
        "protocolLimits": {
            "maxStringLens": {},
            "maxArrayLens": {},
            "timing": {
                "minOrderInterval": 0,
                "minStateInterval": 0,
                "defaultStateInterval": profile.state_interval_s,
            },
        },
        "protocolFeatures": {"optionalParameters": [], "agvActions": actions},
        "agvGeometry": {},
        "loadSpecification": {},
    }
