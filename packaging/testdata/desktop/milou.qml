// Types into the model of results that is behind KRunner's window, and prints what is found, best first. plasma runs it.
import QtQuick 2.15
import org.kde.milou 0.3 as Milou

Item {
    property var queries: ["gi", "git", "github"]

    Milou.ResultsModel {
        id: results
        limit: 20
        queryString: queries[0]
        onQueryingChanged: if (!querying) settled.restart()
    }
    Repeater {
        id: shown
        model: results
        Item { readonly property string line: [model.category, model.display, model.subtext, model.type].join("|") }
    }
    // Results reach the model some moments after the last runner has answered.
    Timer {
        id: settled
        interval: 1000
        onTriggered: {
            for (let i = 0; i < shown.count; i++)
                console.log(queries[0] + "|" + i + "|" + shown.itemAt(i).line)
            queries.shift()
            if (!queries.length)
                Qt.quit()
            results.queryString = queries[0]
        }
    }
}
