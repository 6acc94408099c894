"""The addresses of deals and pipelines."""

from __future__ import annotations

from django.urls import path

from counterfoil.deals.web.views import boards, deals, handoff, pipelines

app_name = "deals"

urlpatterns = [
    path("deals/", boards.deals, name="deals"),
    path("deals/board/", boards.board, name="board"),
    path("deals/board/column/<uuid:stage_id>/", boards.column, name="column"),
    path("deals/board/heads/", boards.heads, name="heads"),
    path("deals/new/", deals.new_deal, name="new_deal"),
    path("deals/of-account/<uuid:account_id>/", boards.account_panel, name="account_panel"),
    path("deals/product/", deals.product, name="product"),
    path("deals/<uuid:deal_id>/", deals.deal, name="deal"),
    path("deals/<uuid:deal_id>/change/", deals.change_deal, name="change_deal"),
    path("deals/<uuid:deal_id>/field/<str:field_id>/", deals.change_field, name="change_field"),
    path("deals/<uuid:deal_id>/lines/", deals.lines, name="lines"),
    path("deals/<uuid:deal_id>/lines/preview/", deals.preview_lines, name="preview_lines"),
    path("deals/<uuid:deal_id>/contacts/", deals.add_contact, name="contacts"),
    path("deals/<uuid:deal_id>/contacts/<uuid:part_id>/remove/", deals.remove_contact, name="remove_contact"),
    path("deals/<uuid:deal_id>/move/", handoff.move, name="move"),
    path("deals/<uuid:deal_id>/win/", handoff.win, name="win"),
    path("deals/<uuid:deal_id>/lose/", handoff.lose, name="lose"),
    path("deals/<uuid:deal_id>/reopen/", handoff.reopen, name="reopen"),
    path("deals/<uuid:deal_id>/readiness/", handoff.readiness, name="readiness"),
    path("deals/<uuid:deal_id>/readiness/<slug:code>/", handoff.fix, name="fix"),
    path("deals/<uuid:deal_id>/readiness/<slug:code>/ask/", handoff.ask, name="ask"),
    path("deals/<uuid:deal_id>/handoff/", handoff.panel, name="handoff"),
    path("settings/pipelines/", pipelines.pipelines, name="pipelines"),
    path("settings/pipelines/<uuid:pipeline_id>/", pipelines.pipeline, name="pipeline"),
    path("settings/pipelines/<uuid:pipeline_id>/stages/", pipelines.add_stage, name="add_stage"),
    path("settings/pipelines/<uuid:pipeline_id>/order/", pipelines.order, name="order_stages"),
    path("settings/stages/<uuid:stage_id>/", pipelines.stage, name="stage"),
    path("settings/stages/<uuid:stage_id>/remove/", pipelines.remove_stage, name="remove_stage"),
]
